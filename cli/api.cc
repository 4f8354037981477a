#include "cli/api.h"

#include <cstdio>

#include "cli/clock.h"
#include "cli/cluster_file.h"
#include "shared/net/http_server.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

constexpr const char* kDefaultCoordinator = "http://127.0.0.1:7070";
constexpr const char* kDefaultDir = "./run";
constexpr int kProbeTimeoutMs = 2'000;
constexpr int kTakeoverMs = 15'000;
constexpr int kLeaderPollMs = 200;
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

// A coordinator that stands by for another one; it has done nothing.
bool stands_by(const Reply& reply) {
  return (reply.status == 307 || reply.status == 503) && reply.json.is_object() &&
         reply.json.contains("leader");
}

bool leads(const std::string& url) {
  return call("GET", url + "/health", "", kProbeTimeoutMs).status == 200;
}

struct Found {
  bool anybody = false;  // a coordinator answers
  std::string leader;    // empty: none of them leads now
};

Found find_leader(const std::vector<std::string>& coordinators) {
  Found out;
  for (const std::string& url : coordinators) {
    const Reply health = call("GET", url + "/health", "", kProbeTimeoutMs);
    if (health.exit == ExitCode::kUnreachable) continue;
    out.anybody = true;
    const std::string other = text_of(health.json, "leader");
    if (health.status == 200) out.leader = url;
    if (!other.empty() && leads(other)) out.leader = other;
    if (!out.leader.empty()) return out;
  }
  return out;
}

// Asks the coordinator that leads; while none does, for as long as a takeover may last. A change is
// sent to one that leads only: what has no answer may have been done, and is not sent again.
Reply call_leader(const GlobalOptions& global, const std::string& method, const std::string& path,
                  const std::string& body) {
  const bool reads = method == "GET";
  const auto call_one = [&](const std::string& url) {
    return call(method, url + path, body, reads ? kCallTimeoutMs : kChangeTimeoutMs);
  };
  const auto coordinators = coordinator_urls(global);
  Reply reply;
  if (coordinators.size() == 1) {
    reply = call_one(coordinators[0]);
    if (!stands_by(reply)) return reply;
  }
  const int64_t deadline_ms = monotonic_ms() + kTakeoverMs;
  while (true) {
    const Found found = find_leader(coordinators);
    if (!found.anybody) return call_one(coordinators[0]);
    if (!found.leader.empty()) {
      reply = call_one(found.leader);
      const bool died = reads && reply.exit == ExitCode::kUnreachable;
      if (!stands_by(reply) && !died) return reply;
    }
    if (monotonic_ms() >= deadline_ms) break;
    sleep_ms(kLeaderPollMs);
  }
  reply.exit = ExitCode::kUnreachable;
  reply.message = "no coordinator leads: is etcd up, and are there coordinators that stand by?";
  return reply;
}

Reply call_coordinator(const GlobalOptions& global, const std::string& method,
                       const std::string& path, const std::string& body) {
  Reply reply = call_leader(global, method, path, body);
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

std::vector<std::string> coordinator_urls(const GlobalOptions& global) {
  std::string list = global.coordinator;
  if (list.empty()) {
    const auto cluster = ClusterFile::load(kDefaultDir);
    if (cluster.ok()) list = cluster->coordinator;
  }
  std::vector<std::string> urls;
  for (size_t at = 0; at < list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (comma > at) urls.push_back(as_url(list.substr(at, comma - at)));
    at = comma + 1;
  }
  if (urls.empty()) urls.emplace_back(kDefaultCoordinator);
  return urls;
}

Reply get_coordinator(const GlobalOptions& global, const std::string& path) {
  return call_coordinator(global, "GET", path, "");
}

Reply post_coordinator(const GlobalOptions& global, const std::string& path,
                       const std::string& body) {
  return call_coordinator(global, "POST", path, body);
}

Reply delete_coordinator(const GlobalOptions& global, const std::string& path) {
  return call_coordinator(global, "DELETE", path, "");
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
