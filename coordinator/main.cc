// tidemill-coordinator: parses, constructs, wires, runs.
#include <cstdio>
#include <utility>

#include "coordinator/coordinator.h"
#include "coordinator/options.h"
#include "coordinator/wiring.h"
#include "shared/net/http_server.h"
#include "shared/runtime/real/real_process.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

// A job with several topics, whose brokers do not answer, is refused after some seconds for each.
constexpr int kAnswerTimeoutMs = 120'000;

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
  process_config.listen = options.listen;
  process_config.blocking_threads = kBlockingThreads;
  auto process = RealProcess::create(process_config);
  if (!process) return fail(process.error());
  auto store = MetadataStore::open(options.data_dir);
  if (!store) return fail(store.error());
  options.coordinator.metrics = &(*process)->metrics();
  spawn_coordinator(**process, options.coordinator, std::move(*store));

  auto* actors = process->get();
  auto server = HttpServer::start(*http, [actors](HttpRequest request, HttpResponder respond) {
    auto call = std::make_unique<CoordinatorRequest>(std::move(request), respond);
    if (actors->post_from_outside(kAgent, std::move(call)) != SendResult::kAccepted) {
      respond(http_error(503, "the coordinator is overloaded or ending; try again"));
    }
  });
  if (!server) return fail(server.error());
  std::printf("ready endpoint=%s http=%s:%u\n", actors->endpoint().c_str(), http->address.c_str(),
              (*server)->port());
  std::fflush(stdout);
  const int exit_code = actors->run();
  server->reset();  // before the process that it posts to
  return exit_code;
}

}  // namespace
}  // namespace tidemill

int main(int argc, char** argv) { return tidemill::run(argc, argv); }
