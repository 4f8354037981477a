#include "cli/api.h"

#include <cstdio>

#include "cli/cluster_file.h"
#include "shared/net/http_server.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

constexpr const char* kDefaultCoordinator = "http://127.0.0.1:7070";
constexpr const char* kDefaultDir = "./run";
constexpr int kChangeTimeoutMs = 130'000;  // a submission asks brokers, which may not answer

std::string error_message(const Reply& reply) {
  if (reply.json.is_object() && reply.json.contains("error")) {
    const std::string message = text_of(reply.json["error"], "message");
    if (!message.empty()) return message;
  }
  return "HTTP status " + std::to_string(reply.status);
}

std::string as_url(std::string address) {
  if (address.find("://") == std::string::npos) address.insert(0, "http://");
  while (address.back() == '/') address.pop_back();
  return address;
}

Reply call_coordinator(const GlobalOptions& global, const std::string& method,
                       const std::string& path, const std::string& body) {
  Reply reply = call(method, coordinator_url(global) + path, body,
                     method == "GET" ? kCallTimeoutMs : kChangeTimeoutMs);
  if (reply.exit == ExitCode::kUnreachable) {
    reply.message +=
        "\n  start a cluster with `tidemill up`, or name its coordinator with --coordinator URL "
        "or TIDEMILL_COORDINATOR";
  }
  return reply;
}

}  // namespace

ExitCode fail(ExitCode code, const std::string& message) {
  std::fprintf(stderr, "tidemill: %s\n", message.c_str());
  return code;
}

Reply call(const std::string& method, const std::string& url, const std::string& body,
           int timeout_ms) {
  Reply reply;
  auto response = http_call(method, url, body, timeout_ms);
  if (!response.ok()) {
    reply.exit =
        response.error().code() == ErrorCode::kUser ? ExitCode::kUsage : ExitCode::kUnreachable;
    reply.message = response.error().message();
    return reply;
  }
  reply.status = response->status;
  reply.body = std::move(response->body);
  reply.json = json::parse(reply.body, nullptr, false);
  if (reply.json.is_discarded()) reply.json = nullptr;
  if (reply.status < 200 || reply.status >= 300) {
    reply.exit = reply.status == 400 ? ExitCode::kUsage : ExitCode::kFailed;
    reply.message = error_message(reply);
  } else if (!reply.json.is_object()) {
    reply.exit = ExitCode::kFailed;
    reply.message = url + " answered something other than JSON: is it Tidemill's address?";
  }
  return reply;
}

std::string coordinator_url(const GlobalOptions& global) {
  if (!global.coordinator.empty()) return as_url(global.coordinator);
  const auto cluster = ClusterFile::load(kDefaultDir);
  if (cluster.ok() && !cluster->coordinator.empty()) return as_url(cluster->coordinator);
  return kDefaultCoordinator;
}

Reply get_coordinator(const GlobalOptions& global, const std::string& path) {
  return call_coordinator(global, "GET", path, "");
}

Reply post_coordinator(const GlobalOptions& global, const std::string& path,
                       const std::string& body) {
  return call_coordinator(global, "POST", path, body);
}

Reply find_store(const GlobalOptions& global) {
  Reply reply = get_coordinator(global, "/v1/cluster");
  if (!reply.ok()) return reply;
  for (const json& member : list_of(reply.json, "members")) {
    const std::string http = text_of(member, "http");
    if (text_of(member, "role") == "store" && flag_of(member, "alive") && !http.empty()) {
      reply.message = as_url(http);
      return reply;
    }
  }
  reply.exit = ExitCode::kFailed;
  reply.message =
      "the cluster has no serving store that is alive: see `tidemill cluster`, and start a "
      "tidemill-store";
  return reply;
}

std::string text_of(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

uint64_t number_of(const json& object, const char* name) {
  if (!object.is_object()) return 0;
  const auto found = object.find(name);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

bool flag_of(const json& object, const char* name) {
  if (!object.is_object()) return false;
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const json& list_of(const json& object, const char* name) {
  static const json kEmpty = json::array();
  if (!object.is_object()) return kEmpty;
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : kEmpty;
}

}  // namespace tidemill::cli
