// tidemill-store: parses, constructs, wires, runs.
#include <unistd.h>

#include <cstdio>

#include "serving/options.h"
#include "serving/read_gateway.h"
#include "serving/wiring.h"
#include "shared/runtime/real/real_process.h"
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
  auto http = http_config(options);
  if (!http) return fail(http.error());

  RealProcessConfig process_config;
  process_config.listen = options.listen;
  process_config.shards = static_cast<uint16_t>(options.shards);
  auto process = RealProcess::create(process_config);
  if (!process) return fail(process.error());

  // The server is up before the member announces its address.
  auto* actors = process->get();
  auto server = HttpServer::start(*http, [actors](HttpRequest request, HttpResponder respond) {
    auto call = std::make_unique<StoreHttpCall>();
    call->request = std::move(request);
    call->respond = respond;
    if (actors->post_from_outside(kReadGateway, std::move(call)) != SendResult::kAccepted) {
      respond(http_error(503, "the store is overloaded or ending; try again"));
    }
  });
  if (!server) return fail(server.error());

  MemberConfig member;
  member.coordinator_endpoint = options.coordinator;
  member.heartbeat_ms = options.heartbeat_ms;
  member.pid = static_cast<uint64_t>(::getpid());
  member.http_address = http->address + ":" + std::to_string((*server)->port());
  spawn_store(**process, member, read_limits(options));
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
