// tidemill-store: parses, constructs, wires, runs.
#include <unistd.h>

#include <cstdio>

#include "serving/options.h"
#include "serving/read_gateway.h"
#include "serving/wiring.h"
#include "shared/runtime/real/process_memory.h"
#include "shared/runtime/real/real_process.h"
#include "shared/state/state_directories.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "tidemill-store: %s\n", error.message().c_str());
  return 1;
}

int run(int argc, char** argv) {
  StoreOptions options;
  ProcessConfig config("tidemill-store", "Holds replicas of key partitions and serves features.");
  add_options(&config, &options);
  auto outcome = config.parse(argc, argv);
  if (!outcome) return fail(outcome.error());
  if (*outcome == ProcessConfig::Outcome::kExit) return 0;
  if (Status sensible = check(options); !sensible) return fail(sensible.error());
  if (options.memory_budget_bytes > 0) release_memory_at_once();
  auto http = http_config(options);
  if (!http) return fail(http.error());

  RealProcessConfig process_config;
  process_config.listen = options.listen;
  process_config.shards = static_cast<uint16_t>(options.shards);
  // Each shard writes at most one increment at a time; the rest is for reads.
  process_config.blocking_threads = static_cast<uint16_t>(options.shards + 3);
  auto process = RealProcess::create(process_config);
  if (!process) return fail(process.error());

  // The server is up before the member announces its address. Where there is one shard, requests go
  // through its thread alone; with more, the first has enough to do.
  auto* actors = process->get();
  auto* const loop = process_config.shards == 1 ? &actors->loop(0) : nullptr;
  const auto on_request = [actors](HttpRequest request, HttpResponder respond) {
    auto call = std::make_unique<StoreHttpCall>();
    call->request = std::move(request);
    call->respond = respond;
    if (actors->post_from_outside(kReadGateway, std::move(call)) != SendResult::kAccepted) {
      respond(http_error(503, "the store is overloaded or ending; try again"));
    }
  };
  auto server = HttpServer::start(*http, on_request, loop);
  if (!server) return fail(server.error());

  auto coordinators = parse_coordinators(options.coordinator);
  if (!coordinators) return fail(coordinators.error().within("--coordinator"));
  MemberConfig member;
  member.coordinators = std::move(*coordinators);
  member.heartbeat_ms = options.heartbeat_ms;
  member.pid = static_cast<uint64_t>(::getpid());
  member.http_address = http->address + ":" + std::to_string((*server)->port());
  StoreResources resources;
  resources.disk = Disk::real();
  resources.data_dir = options.data_dir;
  auto snapshots =
      open_snapshot_storage(options.snapshots, static_cast<uint64_t>(options.memory_budget_bytes));
  if (!snapshots) return fail(snapshots.error());
  resources.snapshots = std::move(*snapshots);
  resources.memory.resident_bytes = resident_bytes;
  resources.memory.counted = true;
  if (options.memory_budget_bytes > 0) resources.memory.release = release_memory;
  resources.readers = open_files(options);
  auto locked = lock_data_directory(resources.disk, options.data_dir);
  if (!locked) return fail(locked.error());
  spawn_store(**process, member, store_config(options), resources);
  std::printf("ready endpoint=%s http=%s\n", actors->endpoint().c_str(),
              member.http_address.c_str());
  std::fflush(stdout);
  const int exit_code = actors->run();
  server->reset();  // before the actors that it posts to
  return exit_code;
}

}  // namespace
}  // namespace tidemill

int main(int argc, char** argv) { return tidemill::run(argc, argv); }
