// tidemill-worker: parses, constructs, wires, runs.
#include <unistd.h>

#include <cstdio>

#include "shared/dead_letter/letter_storage.h"
#include "shared/runtime/real/real_process.h"
#include "worker/options.h"
#include "worker/wiring.h"

namespace tidemill {
namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "tidemill-worker: %s\n", error.message().c_str());
  return 1;
}

int run(int argc, char** argv) {
  WorkerOptions options;
  ProcessConfig config("tidemill-worker", "Reads sources and holds key partitions.");
  add_options(&config, &options);
  auto outcome = config.parse(argc, argv);
  if (!outcome) return fail(outcome.error());
  if (*outcome == ProcessConfig::Outcome::kExit) return 0;

  RealProcessConfig process_config;
  process_config.listen = options.listen;
  process_config.shards = static_cast<uint16_t>(options.shards);
  process_config.blocking_threads = static_cast<uint16_t>(options.blocking_threads);
  auto process = RealProcess::create(process_config);
  if (!process) return fail(process.error());

  MemberConfig member;
  member.coordinator_endpoint = options.coordinator;
  member.heartbeat_ms = options.heartbeat_ms;
  member.pid = static_cast<uint64_t>(::getpid());
  spawn_worker(**process, member, options.worker,
               std::make_shared<DirectoryDeadLetters>(options.dead_letters));
  std::printf("ready endpoint=%s http=\n", (*process)->endpoint().c_str());
  std::fflush(stdout);
  return (*process)->run();
}

}  // namespace
}  // namespace tidemill

int main(int argc, char** argv) { return tidemill::run(argc, argv); }
