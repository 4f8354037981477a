#include "coordinator/rest.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace tidemill {
namespace {

using Json = nlohmann::ordered_json;

HttpResponse json_response(int status, const Json& json) {
  HttpResponse out;
  out.status = status;
  out.body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Percent-decoding; empty if a '%' is not followed by two hex digits.
std::optional<std::string> decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

std::variant<RestRoute, HttpResponse> only(const HttpRequest& request, const char* method,
                                           RestRoute route) {
  if (request.method == method) return route;
  return http_error(405, request.method + " is not possible here; " + method + " is");
}

std::optional<std::string> decode_directory(std::string_view value) {
  auto out = decode(value);
  const bool good =
      out && !out->empty() && out->front() == '/' && out->find('\0') == std::string::npos;
  return good ? out : std::nullopt;
}

HttpResponse bad_directory() {
  return http_error(400, "base_dir must be a percent-encoded absolute directory");
}

// Without plan=true it is made.
std::variant<RestRoute, HttpResponse> update_route(RestRoute route, std::string_view query) {
  route.call = RestCall::kUpdateJob;
  route.base_dir = "/";
  for (const auto parameter : split(query, '&')) {
    if (parameter.empty()) continue;
    const size_t equals = parameter.find('=');
    const auto name = parameter.substr(0, equals);
    const auto value = equals == std::string_view::npos ? "" : parameter.substr(equals + 1);
    if (name == "plan" && (value == "true" || value == "false")) {
      route.call = value == "true" ? RestCall::kPlanUpdate : RestCall::kUpdateJob;
    } else if (name == "base_dir") {
      const auto directory = decode_directory(value);
      if (!directory) return bad_directory();
      route.base_dir = *directory;
    } else {
      return http_error(400, "unknown parameter '" + std::string(parameter) +
                                 "'; there are plan=true and base_dir=<absolute directory>");
    }
  }
  return route;
}

std::variant<RestRoute, HttpResponse> submit_route(std::string_view query) {
  RestRoute route{RestCall::kSubmitJob, {}, "/"};
  for (const auto parameter : split(query, '&')) {
    if (parameter.empty()) continue;
    const size_t equals = parameter.find('=');
    const auto name = parameter.substr(0, equals);
    const bool known = name == "base_dir" || name == "from_savepoint";
    if (!known || equals == std::string_view::npos) {
      return http_error(400, "unknown parameter '" + std::string(name) +
                                 "'; there are base_dir=<absolute directory> and "
                                 "from_savepoint=<name>");
    }
    const auto value = parameter.substr(equals + 1);
    if (name == "from_savepoint") {
      const auto savepoint = decode(value);
      if (!savepoint || savepoint->empty()) return http_error(400, "from_savepoint must be a name");
      route.from_savepoint = *savepoint;
      continue;
    }
    const auto directory = decode_directory(value);
    if (!directory) return bad_directory();
    route.base_dir = *directory;
  }
  return route;
}

// Without plan=true it is begun.
std::variant<RestRoute, HttpResponse> rebalance_route(const HttpRequest& request,
                                                      std::string_view query) {
  RestRoute route{RestCall::kShowRebalance, {}, {}};
  if (request.method == "GET" && query.empty()) return route;
  if (request.method != "POST") {
    return http_error(405, request.method + " is not possible here; GET and POST are");
  }
  route.call = RestCall::kRebalance;
  for (const auto parameter : split(query, '&')) {
    if (parameter.empty()) continue;
    const size_t equals = parameter.find('=');
    const auto name = parameter.substr(0, equals);
    const auto value = decode(equals == std::string_view::npos ? "" : parameter.substr(equals + 1));
    if (name == "plan" && value && (*value == "true" || *value == "false")) {
      route.call = *value == "true" ? RestCall::kPlanRebalance : RestCall::kRebalance;
    } else if (name == "job" && value && !value->empty()) {
      route.job = *value;
    } else {
      return http_error(400, "unknown parameter '" + std::string(parameter) +
                                 "'; there are plan=true and job=<name or id>");
    }
  }
  return route;
}

// Calls about one worker; nothing if there is no such path.
std::optional<std::variant<RestRoute, HttpResponse>> worker_route(
    const HttpRequest& request, const std::vector<std::string_view>& parts) {
  if (parts.size() != 5 || parts[4] != "drain") return std::nullopt;
  const auto node = parse_node(parts[3]);
  if (!node) {
    return http_error(
        400, "'" + std::string(parts[3]) + "' is not a node: 16 hex digits, as in /v1/cluster");
  }
  RestRoute route{RestCall::kDrain, {}, {}};
  route.node = *node;
  if (request.method == "POST") return route;
  route.call = RestCall::kUndrain;
  if (request.method == "DELETE") return route;
  return http_error(405, request.method + " is not possible here; POST and DELETE are");
}

Json letters_json(const LetterCounts& letters) {
  Json out = Json::array();
  for (const auto& [what, records] : letters) {
    out.push_back({{"reason", what.first}, {"view", what.second}, {"records", records}});
  }
  return out;
}

Json or_null(const std::optional<uint64_t>& value) { return value ? Json(*value) : Json(nullptr); }

Json source_json(const SourceStatus& source) {
  return {{"partition", source.partition},
          {"source", source.source},
          {"index", source.index},
          {"input", source.input},
          {"node", source.grant.node == NodeId{} ? "" : node_text(source.grant.node)},
          {"epoch", source.grant.epoch.value},
          {"offset", source.offset},
          {"log_end_offset", or_null(source.log_end_offset)},
          {"lag", or_null(source.lag)},
          {"finished", source.finished},
          {"idle", source.idle},
          {"records", source.records},
          {"bad_records", source.bad_records()},
          {"dead_letters", letters_json(source.dead_letters)},
          {"null_keys", source.null_keys},
          {"tombstones", source.tombstones},
          {"bad_samples", source.bad_samples},
          {"error", source.error},
          {"applied", source.applied},
          {"published", source.published},
          {"max_event_time", format_timestamp(source.max_event_time)}};
}

// Sums over the source partitions.
void add_source_totals(const JobStatus& status, Json* json) {
  uint64_t bad_records = 0;
  uint64_t null_keys = 0;
  uint64_t tombstones = 0;
  std::optional<uint64_t> lag;
  std::map<std::pair<std::string, std::pair<std::string, std::string>>, uint64_t> letters;
  for (const SourceStatus& source : status.sources) {
    bad_records += source.bad_records();
    null_keys += source.null_keys;
    tombstones += source.tombstones;
    if (source.lag) lag = lag.value_or(0) + *source.lag;
    for (const auto& [what, records] : source.dead_letters) {
      letters[{source.source, what}] += records;
    }
  }
  (*json)["bad_records"] = bad_records;
  (*json)["dead_letters"] = Json::array();
  for (const auto& [what, records] : letters) {
    (*json)["dead_letters"].push_back({{"source", what.first},
                                       {"reason", what.second.first},
                                       {"view", what.second.second},
                                       {"records", records}});
  }
  (*json)["null_keys"] = null_keys;
  (*json)["tombstones"] = tombstones;
  (*json)["lag"] = or_null(lag);
}

const char* state_text(JobState state) {
  switch (state) {
    case JobState::kRunning:
      return "RUNNING";
    case JobState::kCompleted:
      return "COMPLETED";
    case JobState::kStopped:
      return "STOPPED";
    case JobState::kFailed:
      return "FAILED";
  }
  return "";
}

Json job_json(const JobRecord& job) {
  return {{"id", job.id.value},
          {"name", job.name},
          {"state", state_text(job.state)},
          {"error", job.error},
          {"submitted_at", format_timestamp(job.submitted_at)}};
}

// Calls about one job; nothing if there is no such path.
std::optional<std::variant<RestRoute, HttpResponse>> job_route(
    const HttpRequest& request, const std::vector<std::string_view>& parts,
    std::string_view query) {
  const auto job = decode(parts[3]);
  if (!job || job->empty()) return http_error(400, "the path lacks the name or id of a job");
  RestRoute route{RestCall::kShowJob, *job, {}};
  if (parts.size() == 4) return only(request, "GET", std::move(route));
  if (parts.size() == 5 && parts[4] == "stop") {
    route.call = RestCall::kStopJob;
    return only(request, "POST", std::move(route));
  }
  if (parts.size() == 5 && parts[4] == "update") {
    if (request.method == "POST") return update_route(std::move(route), query);
    return http_error(405, request.method + " is not possible here; POST is");
  }
  if (parts.size() == 5 && parts[4] == "dead-letters") {
    route.call = RestCall::kDeadLetters;
    return only(request, "GET", std::move(route));
  }
  if (parts.size() != 7 || parts[4] != "source-partitions" || parts[6] != "move") {
    return std::nullopt;
  }
  route.call = RestCall::kMoveReader;
  const auto number = parts[5];
  const char* end = number.data() + number.size();
  const auto parsed = std::from_chars(number.data(), end, route.source_partition);
  if (parsed.ec != std::errc{} || parsed.ptr != end) {
    return http_error(400, "'" + std::string(number) + "' is not the number of a source partition");
  }
  return only(request, "POST", std::move(route));
}

struct Owned {
  uint64_t key_partitions = 0;
  uint64_t source_partitions = 0;
  uint64_t standbys = 0;

  bool nothing() const { return key_partitions + source_partitions + standbys == 0; }
};

// Granted to a worker, held and ready in a store.
std::map<NodeId, Owned> owned_partitions(const CoordinatorState& state,
                                         const MembershipTable& members) {
  std::map<NodeId, Owned> owned;
  for (const auto& [id, entry] : state.jobs) {
    for (const auto& grant : entry.grants->key_partitions) ++owned[grant.node].key_partitions;
    for (const auto& grant : entry.grants->sources) ++owned[grant.node].source_partitions;
    for (const auto& [k, standby] : entry.grants->standbys) ++owned[standby.node].standbys;
  }
  for (const auto& [node, member] : members.entries()) {
    if (!member.alive || member.info.role != MemberRole::kStore) continue;
    for (const auto& job : member.report.jobs()) owned[node].key_partitions += job.key_partitions();
  }
  return owned;
}

// Of a worker that drains, whether it has anything left.
const char* member_state(const CoordinatorState& state, const MembershipTable::Entry& member,
                         const Owned& has) {
  if (!member.alive) return "dead";
  if (!state.draining.contains(member.info.node)) return "alive";
  return has.nothing() ? "drained" : "draining";
}

// By consumer; empty until it is known.
Json memory_json(const proto::Heartbeat& report) {
  Json out = Json::object();
  for (const proto::MemoryUse& use : report.memory()) out[use.consumer()] = use.bytes();
  return out;
}

}  // namespace

std::variant<RestRoute, HttpResponse> route_request(const HttpRequest& request) {
  const std::string_view target = request.target;
  const size_t question = target.find('?');
  const auto path = target.substr(0, question);
  const auto query = question == std::string_view::npos ? "" : target.substr(question + 1);
  if (path == "/health") return only(request, "GET", {RestCall::kHealth, {}, {}});
  if (path == "/metrics") return only(request, "GET", {RestCall::kMetrics, {}, {}});
  if (path == "/v1/cluster") return only(request, "GET", {RestCall::kCluster, {}, {}});
  if (path == "/v1/jobs") {
    if (request.method == "GET") return RestRoute{RestCall::kListJobs, {}, {}};
    if (request.method == "POST") return submit_route(query);
    return http_error(405, request.method + " is not possible here; GET and POST are");
  }
  if (path == "/v1/rebalance") return rebalance_route(request, query);
  if (auto snapshots = snapshot_route(request)) {
    if (auto* refused = std::get_if<HttpResponse>(&*snapshots)) return std::move(*refused);
    RestRoute route{RestCall::kSnapshots, {}, {}};
    route.snapshot = std::get<SnapshotRoute>(std::move(*snapshots));
    return route;
  }
  const auto parts = split(path, '/');  // "", "v1", "jobs", job, ...
  if (parts.size() >= 4 && parts[1] == "v1" && parts[2] == "workers") {
    if (auto routed = worker_route(request, parts)) return std::move(*routed);
  }
  if (parts.size() >= 4 && parts[1] == "v1" && parts[2] == "jobs") {
    if (auto routed = job_route(request, parts, query)) return std::move(*routed);
  }
  return http_error(404,
                    "no such path; there are /v1/cluster, /v1/jobs, /v1/jobs/<name or id>, and "
                    "below it /stop, /update, /dead-letters, /snapshots, /snapshot-checks, "
                    "/key-partitions/<number>/snapshots and /source-partitions/<number>/move; "
                    "/v1/savepoints, /v1/snapshot-checks/<number>, "
                    "/v1/rebalance, /v1/workers/<node>/drain, /health and /metrics");
}

HttpResponse cluster_response(const CoordinatorState& state, const MembershipTable& members,
                              int64_t now_us) {
  const auto owned = owned_partitions(state, members);
  Json list = Json::array();
  for (const auto& [node, member] : members.entries()) {
    const auto it = owned.find(node);
    const Owned has = it == owned.end() ? Owned{} : it->second;
    list.push_back({{"node", node_text(node)},
                    {"role", member.info.role == MemberRole::kStore ? "store" : "worker"},
                    {"endpoint", member.info.endpoint},
                    {"http", member.http},
                    {"shards", member.info.shards},
                    {"alive", member.alive},
                    {"state", member_state(state, member, has)},
                    {"pid", member.pid},
                    {"resident_bytes", member.report.resident_bytes()},
                    {"memory_budget_bytes", member.report.memory_budget_bytes()},
                    {"memory", memory_json(member.report)},
                    {"last_heartbeat_ms", (now_us - member.last_heartbeat_us) / 1000},
                    {"key_partitions", has.key_partitions},
                    {"source_partitions", has.source_partitions},
                    {"standbys", has.standbys}});
  }
  return json_response(200, {{"version", state.view_version}, {"members", std::move(list)}});
}

HttpResponse jobs_response(const CoordinatorState& state) {
  Json list = Json::array();
  for (const auto& [id, entry] : state.jobs) list.push_back(job_json(*entry.job));
  return json_response(200, {{"jobs", std::move(list)}});
}

namespace {

// Features that are not complete yet at every as_of that may be asked for, with the time from which
// on they are: of the copy that has begun last to keep what they need.
Json filling_features(const Plan& plan, const ViewSpec& view, const JobStatus& status) {
  Json out = Json::array();
  for (const FeatureSpec& feature : view.features) {
    if (feature.lifetime || feature.table >= status.floors.size()) continue;
    const TableSchema& table = (*plan.tables())[feature.table];
    const DurationUs within = table.deduplication == nullptr ? 0 : table.deduplication->within;
    const TimeUs since =
        saturating_add(saturating_add(status.floors[feature.table], within), feature.reach);
    if (since == kMinTime || since <= status.horizon) continue;
    out.push_back({{"feature", feature.name}, {"complete_since", format_timestamp(since)}});
  }
  return out;
}

}  // namespace

HttpResponse job_response(const JobEntry& entry, const JobStatus& status, TimeUs now,
                          const std::string& discovery_error) {
  const JobRecord& job = *entry.job;
  Json json = job_json(job);
  json["yaml"] = job.plan->proto().yaml();
  json["revision"] = job.plan->proto().revision();
  json["sources"] = Json::array();
  for (const auto& source : status.sources) json["sources"].push_back(source_json(source));
  json["discovery_error"] = discovery_error;
  add_source_totals(status, &json);
  Json by_node = Json::object();
  for (const auto& [node, count] : status.owned_by) by_node[node_text(node)] = count;
  json["key_partitions"] = {{"total", status.key_partitions},
                            {"owned", status.owned},
                            {"by_node", std::move(by_node)},
                            {"store_ready", status.store_ready}};
  json["restoring"] = status.restoring;
  json["standbys"] = {{"total", status.standbys}, {"caught_up", status.standbys_caught_up}};
  const auto snapshots = summarize_snapshots(entry);
  json["snapshots"] = {{"oldest_age_ms", or_null(snapshot_age_ms(snapshots, now))},
                       {"total_bytes", snapshots.total_bytes},
                       {"key_partitions_without", snapshots.without},
                       {"failures", status.snapshot_failures},
                       {"refused", status.refused_snapshots}};
  json["from_savepoint"] = job.from_savepoint;
  json["pending_bytes"] = status.pending_bytes;
  json["rows"] = status.rows;
  json["keys"] = status.keys;
  json["state_bytes"] = status.state_bytes;
  json["rows_applied"] = status.rows_applied;
  json["too_late_rows"] = status.too_late_rows;
  json["views"] = Json::array();
  for (const ViewSpec& view : job.plan->views()) {
    const bool known = view.number < status.too_late_by_view.size();
    json["views"].push_back(
        {{"name", view.name}, {"too_late_rows", known ? status.too_late_by_view[view.number] : 0}});
    const Json filling = filling_features(*job.plan, view, status);
    if (!filling.empty()) json["views"].back()["filling"] = filling;
  }
  json["full_chunks"] = status.full_chunks;
  json["recut_chunks"] = status.recut_chunks;
  json["freed_rows"] = status.freed_rows;
  json["evicted_keys"] = status.evicted_keys;
  json["cold_reads"] = status.cold_reads;
  json["disk_rows"] = status.disk_rows;
  json["image_bytes_sent"] = status.image_bytes_sent;
  json["session_gaps"] = status.session_gaps;
  json["horizon"] = format_timestamp(status.horizon);
  json["stages"] = Json::object();
  for (const auto& [stage, cost] : status.stages) {
    json["stages"][stage] = {{"cpu_ns", cost.cpu_ns}, {"rows", cost.rows}};
  }
  return json_response(200, json);
}

HttpResponse submitted_response(const JobRecord& job) {
  return json_response(201, {{"id", job.id.value}, {"name", job.name}});
}

HttpResponse stopped_response(JobId job) { return json_response(202, {{"id", job.value}}); }

namespace {

const char* effect_name(Effect effect) {
  switch (effect) {
    case Effect::kAtOnce:
      return "at once";
    case Effect::kFills:
      return "fills";
    case Effect::kRefused:
      break;
  }
  return "refused";
}

}  // namespace

HttpResponse updated_response(const JobRecord& job, const Evolution& evolution, bool plan_only) {
  Json differences = Json::array();
  size_t refused = 0;
  for (const Difference& difference : evolution.differences) {
    const bool is_refused = difference.effect == Effect::kRefused;
    refused += is_refused ? 1 : 0;
    differences.push_back({{"path", difference.path},
                           {"change", difference.change},
                           {"effect", effect_name(difference.effect)},
                           {"reason", difference.reason}});
  }
  Json json = {{"id", job.id.value},
               {"name", job.name},
               {"revision", job.plan->proto().revision()},
               {"refused", refused},
               {"differences", std::move(differences)}};
  if (refused == 0 || plan_only) return json_response(200, json);
  json["error"] = {{"message", std::to_string(refused) +
                                   (refused == 1 ? " difference is" : " differences are") +
                                   " refused, so nothing was changed"}};
  return json_response(409, json);
}

HttpResponse moved_response(JobId job, uint32_t source_partition, const PartitionGrant& grant) {
  return json_response(202, {{"id", job.value},
                             {"source_partition", source_partition},
                             {"node", node_text(grant.node)},
                             {"epoch", grant.epoch.value}});
}

Result<NodeId> read_move_body(const std::string& body) {
  if (body.empty()) return NodeId{};
  const std::string expected = "the body must be empty or {\"to\": \"<node of a worker>\"}";
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return user_error(expected);
  for (const auto& [key, value] : json.items()) {
    if (key != "to" || !value.is_string()) return user_error(expected);
  }
  if (json.empty()) return NodeId{};
  const auto text = json["to"].get<std::string>();
  const auto node = parse_node(text);
  if (!node) return user_error("'" + text + "' is not a node: 16 hex digits, as in /v1/cluster");
  return *node;
}

HttpResponse health_response() { return json_response(200, {{"status", "ok"}}); }

HttpResponse metrics_response(std::string text) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", std::move(text)};
}

HttpResponse refused_job_response(const std::vector<JobError>& errors) {
  Json list = Json::array();
  for (const auto& error : errors) {
    list.push_back({{"line", error.line},
                    {"column", error.column},
                    {"path", error.path},
                    {"message", error.message}});
  }
  const std::string message =
      "the job has " + std::to_string(errors.size()) + (errors.size() == 1 ? " error" : " errors");
  return json_response(400, {{"error", {{"message", message}, {"errors", std::move(list)}}}});
}

}  // namespace tidemill
