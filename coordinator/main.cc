// tidemill-coordinator: parses, constructs, wires, runs.
#include <cstdio>
#include <utility>

#include "coordinator/coordinator.h"
#include "coordinator/etcd_store.h"
#include "coordinator/metadata_store.h"
#include "coordinator/options.h"
#include "coordinator/wiring.h"
#include "shared/net/http_server.h"
#include "shared/runtime/real/real_process.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

// A job with several topics, whose brokers do not answer, is refused after some seconds for each.
constexpr int kAnswerTimeoutMs = 120'000;
// Of each endpoint: two that do not answer may be tried within the shortest lease.
constexpr int kEtcdTimeoutMs = 800;

int fail(const Error& error) {
  std::fprintf(stderr, "tidemill-coordinator: %s\n", error.message().c_str());
  return 1;
}

Result<HttpServerConfig> http_config(const CoordinatorOptions& options) {
  auto config = parse_host_port(options.http);
  if (!config) return config.error().within("--http");
  HttpServerConfig out;
  out.address = config->host;
  out.port = config->port;
  out.max_body_bytes = static_cast<size_t>(options.coordinator.max_job_bytes);
  out.answer_timeout_ms = kAnswerTimeoutMs;
  return out;
}

struct Metadata {
  std::shared_ptr<MetadataStore> store;
  std::shared_ptr<EtcdElection> election;  // null without etcd
};

Result<Metadata> open_metadata(const CoordinatorOptions& options) {
  if (options.etcd.empty() == options.data_dir.empty()) {
    return user_error("the metadata are either in --data-dir DIR or in --etcd ENDPOINTS");
  }
  if (options.etcd.empty()) {
    auto store = MetadataStore::open_on(Disk::real(), options.data_dir);
    if (!store) return store.error();
    return Metadata{std::move(*store), nullptr};
  }
  const auto endpoints = parse_etcd_endpoints(options.etcd);
  if (!endpoints) return endpoints.error().within("--etcd");
  if (!options.etcd_prefix.ends_with('/')) return user_error("--etcd-prefix must end in '/'");
  const auto client = [&] { return std::make_unique<EtcdClient>(*endpoints, kEtcdTimeoutMs); };
  auto election = std::make_shared<EtcdElection>(client(), options.etcd_prefix, options.etcd_ttl_s);
  auto store = std::make_unique<EtcdStore>(client(), election);
  return Metadata{std::make_shared<MetadataStore>(std::move(store)), std::move(election)};
}

int run(int argc, char** argv) {
  CoordinatorOptions options;
  ProcessConfig config("tidemill-coordinator", "Assigns the partitions of jobs to workers.");
  add_options(&config, &options);
  auto outcome = config.parse(argc, argv);
  if (!outcome) return fail(outcome.error());
  if (*outcome == ProcessConfig::Outcome::kExit) return 0;
  auto http = http_config(options);
  if (!http) return fail(http.error());

  RealProcessConfig process_config;
  process_config.node = kCoordinatorNode;
  for (uint64_t i = 1; i < kCoordinatorsMax; ++i) {
    process_config.aliases.emplace_back(kCoordinatorNode.value + i);
  }
  process_config.listen = options.listen;
  process_config.blocking_threads = kBlockingThreads;
  auto process = RealProcess::create(process_config);
  if (!process) return fail(process.error());
  auto metadata = open_metadata(options);
  if (!metadata) return fail(metadata.error());
  options.coordinator.election = metadata->election;
  auto snapshots = open_snapshot_storage(options.snapshots);
  if (!snapshots) return fail(snapshots.error().within("--snapshots"));
  options.coordinator.snapshots = std::move(*snapshots);
  options.coordinator.metrics = &(*process)->metrics();
  spawn_coordinator(**process, options.coordinator, std::move(metadata->store));

  auto* actors = process->get();
  auto server = HttpServer::start(*http, [actors](HttpRequest request, HttpResponder respond) {
    auto call = std::make_unique<CoordinatorRequest>(std::move(request), respond);
    if (actors->post_from_outside(kAgent, std::move(call)) != SendResult::kAccepted) {
      respond(http_error(503, "the coordinator is overloaded or ending; try again"));
    }
  });
  if (!server) return fail(server.error());
  if (metadata->election != nullptr) {
    metadata->election->set_address(options.advertise_http.empty()
                                        ? http->address + ":" + std::to_string((*server)->port())
                                        : options.advertise_http);
  }
  std::printf("ready endpoint=%s http=%s:%u\n", actors->endpoint().c_str(), http->address.c_str(),
              (*server)->port());
  std::fflush(stdout);
  const int exit_code = actors->run();
  server->reset();  // before the process that it posts to
  if (metadata->election != nullptr) metadata->election->resign();
  return exit_code;
}

}  // namespace
}  // namespace tidemill

int main(int argc, char** argv) { return tidemill::run(argc, argv); }
