// tidemill-worker: parses, constructs, wires, runs.
#include <unistd.h>

#include <cstdio>

#include "shared/dead_letter/letter_storage.h"
#include "shared/kafka/queue_bounds.h"
#include "shared/runtime/real/process_memory.h"
#include "shared/runtime/real/real_process.h"
#include "shared/state/state_directories.h"
#include "worker/memory_bounds.h"
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

  if (Status sensible = check(options); !sensible) return fail(sensible.error());
  if (options.worker.memory_budget_bytes > 0) release_memory_at_once();
  bound_kafka_queues(kafka_queue_bytes(options.worker));

  RealProcessConfig process_config;
  process_config.listen = options.listen;
  process_config.shards = static_cast<uint16_t>(options.shards);
  process_config.blocking_threads = static_cast<uint16_t>(options.blocking_threads);
  process_config.background_threads = static_cast<uint16_t>(options.background_threads);
  auto process = RealProcess::create(process_config);
  if (!process) return fail(process.error());

  auto coordinators = parse_coordinators(options.coordinator);
  if (!coordinators) return fail(coordinators.error().within("--coordinator"));
  MemberConfig member;
  member.coordinators = std::move(*coordinators);
  member.heartbeat_ms = options.heartbeat_ms;
  member.pid = static_cast<uint64_t>(::getpid());
  WorkerResources resources;
  resources.dead_letters = std::make_shared<DirectoryDeadLetters>(options.dead_letters);
  resources.disk = Disk::real();
  resources.data_dir = options.data_dir;
  auto snapshots = open_snapshot_storage(options.snapshots,
                                         static_cast<uint64_t>(options.worker.memory_budget_bytes));
  if (!snapshots) return fail(snapshots.error());
  resources.snapshots = std::move(*snapshots);
  resources.memory.resident_bytes = resident_bytes;
  resources.memory.counted = true;
  if (options.worker.memory_budget_bytes > 0) resources.memory.release = release_memory;
  auto locked = lock_data_directory(resources.disk, options.data_dir);
  if (!locked) return fail(locked.error());
  spawn_worker(**process, member, options.worker, resources);
  std::printf("ready endpoint=%s http=\n", (*process)->endpoint().c_str());
  std::fflush(stdout);
  return (*process)->run();
}

}  // namespace
}  // namespace tidemill

int main(int argc, char** argv) { return tidemill::run(argc, argv); }
