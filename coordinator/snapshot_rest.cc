#include "coordinator/snapshot_rest.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "shared/net/query_string.h"
#include "shared/plan/source_partitions.h"

namespace tidemill {
namespace {

using Json = nlohmann::ordered_json;
using Routed = std::optional<std::variant<SnapshotRoute, HttpResponse>>;

HttpResponse json_response(int status, const Json& json) {
  HttpResponse out;
  out.status = status;
  out.body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

std::vector<std::string> segments_of(std::string_view target) {
  std::string_view path = target.substr(0, target.find('?'));
  std::vector<std::string> out;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const auto segment = path.substr(0, path.find('/'));
    out.push_back(percent_decode(segment));
    path.remove_prefix(segment.size());
  }
  return out;
}

template <typename Number>
std::optional<Number> number_in(const std::string& text) {
  Number out = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, out);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return out;
}

Routed not_possible(const HttpRequest& request, const std::string& methods) {
  auto out = http_error(405, request.method + " is not possible here; " + methods);
  return out;
}

Routed only(const HttpRequest& request, const char* method, SnapshotRoute route) {
  if (request.method == method) return route;
  return not_possible(request, std::string(method) + " is");
}

Routed bad_number(const std::string& text, const std::string& what) {
  return http_error(400, "'" + text + "' is not the number of " + what);
}

Routed check_job_route(const HttpRequest& request, SnapshotRoute route) {
  for (const auto& [name, value] : parse_query(request.target)) {
    if (name != "key_partition") {
      return http_error(400, "unknown parameter '" + name + "'; there is key_partition=<number>");
    }
    route.key_partition = number_in<uint32_t>(value);
    if (!route.key_partition) return bad_number(value, "a key partition");
  }
  return only(request, "POST", std::move(route));
}

// Below /v1/jobs/<job>.
Routed job_snapshot_route(const HttpRequest& request, const std::vector<std::string>& path) {
  SnapshotRoute route;
  route.job = path[2];
  if (path.size() == 4 && path[3] == "snapshots") {
    route.call = SnapshotCall::kListSnapshots;
    if (request.method == "GET") return route;
    route.call = SnapshotCall::kTrigger;
    if (request.method == "POST") return route;
    return not_possible(request, "GET and POST are");
  }
  if (path.size() == 5 && path[3] == "snapshots") {
    const auto number = number_in<uint64_t>(path[4]);
    if (!number) return bad_number(path[4], "a trigger, as a POST of snapshots answers it");
    route.call = SnapshotCall::kShowTrigger;
    route.number = *number;
    return only(request, "GET", std::move(route));
  }
  if (path.size() == 6 && path[3] == "key-partitions" && path[5] == "snapshots") {
    route.call = SnapshotCall::kShowSnapshots;
    route.key_partition = number_in<uint32_t>(path[4]);
    if (!route.key_partition) return bad_number(path[4], "a key partition");
    return only(request, "GET", std::move(route));
  }
  if (path.size() == 4 && path[3] == "snapshot-checks") {
    route.call = SnapshotCall::kCheckJob;
    return check_job_route(request, std::move(route));
  }
  return std::nullopt;
}

Routed savepoint_route(const HttpRequest& request, const std::vector<std::string>& path) {
  SnapshotRoute route;
  if (path.size() == 2) {
    route.call = SnapshotCall::kListSavepoints;
    return only(request, "GET", std::move(route));
  }
  route.savepoint = path[2];
  if (path.size() == 3) {
    route.call = SnapshotCall::kShowSavepoint;
    if (request.method == "GET") return route;
    route.call = SnapshotCall::kDeleteSavepoint;
    if (request.method == "DELETE") return route;
    return not_possible(request, "GET and DELETE are");
  }
  if (path.size() == 4 && path[3] == "checks") {
    route.call = SnapshotCall::kCheckSavepoint;
    return only(request, "POST", std::move(route));
  }
  if (path.size() == 5 && path[3] == "key-partitions") {
    route.call = SnapshotCall::kShowSavepointSnapshot;
    route.key_partition = number_in<uint32_t>(path[4]);
    if (!route.key_partition) return bad_number(path[4], "a key partition");
    return only(request, "GET", std::move(route));
  }
  return std::nullopt;
}

Json snapshot_json(const RegisteredSnapshot& snapshot) {
  return {{"manifest", snapshot.manifest},
          {"epoch", snapshot.stamp.epoch.value},
          {"version", snapshot.stamp.version},
          {"rows", snapshot.rows},
          {"total_bytes", snapshot.total_bytes},
          {"new_bytes", snapshot.new_bytes},
          {"taken_at", format_timestamp(snapshot.taken_at)},
          {"trigger", snapshot.trigger}};
}

Json partition_json(uint32_t k, const PartitionSnapshots& retained, TimeUs now) {
  Json out = {{"key_partition", k}, {"retained", retained.size()}};
  if (retained.empty()) return out;
  out.update(snapshot_json(retained.front()));
  out["age_ms"] = std::max<int64_t>(0, (now - retained.front().taken_at) / 1000);
  return out;
}

Json needed_json(const proto::JobPlan& plan, const std::vector<uint64_t>& offsets) {
  Json out = Json::array();
  for (size_t s = 0; s < offsets.size(); ++s) {
    const auto& partition = plan.source_partitions(static_cast<int>(s));
    out.push_back({{"partition", s},
                   {"source", plan.sources(static_cast<int>(partition.source())).name()},
                   {"index", partition.index()},
                   {"offset", offsets[s]}});
  }
  return out;
}

Json savepoint_json(const Savepoint& savepoint) {
  Json out = {
      {"name", savepoint.name},       {"state", savepoint.complete ? "COMPLETE" : "PENDING"},
      {"job", savepoint.job.value},   {"job_name", savepoint.job_name},
      {"trigger", savepoint.trigger}, {"made_at", format_timestamp(savepoint.made_at)}};
  uint64_t total_bytes = 0;
  uint64_t rows = 0;
  for (const auto& each : savepoint.snapshots) {
    total_bytes += each.total_bytes;
    rows += each.rows;
  }
  out["key_partitions"] = savepoint.snapshots.size();
  out["total_bytes"] = total_bytes;
  out["rows"] = rows;
  return out;
}

Json file_json(const proto::StateFile& file) {
  return {{"object", file.object()},
          {"name", file.name()},
          {"base", file.base()},
          {"bytes", file.bytes()},
          {"epoch", file.epoch()},
          {"from_version", file.from_version()},
          {"to_version", file.to_version()},
          {"keys", file.keys()},
          {"rows", file.rows()}};
}

Json head_json(const proto::StateHead& head) {
  Json out = {{"ancestry", Json::array()}, {"offsets", Json::array()}};
  for (const auto& ancestor : head.ancestry()) {
    out["ancestry"].push_back(
        {{"epoch", ancestor.epoch()}, {"last_version", ancestor.last_version()}});
  }
  for (const auto& position : head.offsets()) {
    out["offsets"].push_back({{"offset", position.offset()},
                              {"finished", position.finished()},
                              {"max_event_time", format_timestamp(position.max_event_time_us())}});
  }
  out["horizon"] = format_timestamp(head.horizon_us());
  out["rows_applied"] = head.rows_applied();
  out["too_late_rows"] = head.too_late_rows();
  return out;
}

}  // namespace

Routed snapshot_route(const HttpRequest& request) {
  const auto path = segments_of(request.target);
  if (path.size() < 2 || path[0] != "v1") return std::nullopt;
  if (path[1] == "savepoints" && (path.size() == 2 || !path[2].empty())) {
    return savepoint_route(request, path);
  }
  if (path[1] == "jobs" && path.size() >= 4 && !path[2].empty()) {
    return job_snapshot_route(request, path);
  }
  if (path[1] == "snapshot-checks" && path.size() == 3) {
    const auto number = number_in<uint64_t>(path[2]);
    if (!number) return bad_number(path[2], "a check of snapshots");
    SnapshotRoute route;
    route.call = SnapshotCall::kShowCheck;
    route.number = *number;
    return only(request, "GET", std::move(route));
  }
  return std::nullopt;
}

Result<std::string> read_trigger_body(const std::string& body) {
  if (body.empty()) return std::string();
  const std::string expected = "the body must be empty or {\"name\": \"<of a savepoint>\"}";
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return user_error(expected);
  for (const auto& [key, value] : json.items()) {
    if (key != "name" || !value.is_string()) return user_error(expected);
  }
  if (json.empty()) return std::string();
  const auto name = json["name"].get<std::string>();
  if (!is_savepoint_name(name)) {
    return user_error(
        "a savepoint's name is a letter or digit followed by letters, digits, '_', "
        "'-' or '.', at most 64 in all");
  }
  return name;
}

HttpResponse snapshots_response(const JobEntry& entry, TimeUs now) {
  static const JobSnapshots kNone;
  const JobSnapshots& snapshots = entry.snapshots ? *entry.snapshots : kNone;
  const auto summary = summarize_snapshots(entry);
  Json out = {{"job", entry.job->id.value},
              {"name", entry.job->name},
              {"trigger", entry.job->snapshot_trigger},
              {"from_savepoint", entry.job->from_savepoint}};
  out["totals"] = {{"key_partitions", summary.key_partitions},
                   {"key_partitions_without", summary.without},
                   {"retained", summary.retained},
                   {"rows", summary.rows},
                   {"total_bytes", summary.total_bytes}};
  out["totals"]["oldest_age_ms"] =
      snapshot_age_ms(summary, now) ? Json(*snapshot_age_ms(summary, now)) : Json(nullptr);
  out["key_partitions"] = Json::array();
  for (uint32_t k = 0; k < summary.key_partitions; ++k) {
    out["key_partitions"].push_back(partition_json(k, snapshots.of(k), now));
  }
  out["needed_offsets"] = needed_json(entry.job->plan->proto(), summary.needed_offsets);
  return json_response(200, out);
}

HttpResponse triggered_response(const Triggered& triggered, const std::string& savepoint) {
  return json_response(
      202, {{"id", triggered.trigger}, {"job", triggered.job.value}, {"savepoint", savepoint}});
}

HttpResponse trigger_response(const CoordinatorState& state, const JobEntry& entry,
                              uint64_t trigger) {
  const uint32_t total = entry.job->plan->key_partitions();
  const uint32_t done = satisfied_partitions(entry, trigger);
  std::string savepoint;
  bool complete = done == total;
  for (const auto& [name, each] : state.savepoints) {
    if (each->job != entry.job->id || each->trigger != trigger) continue;
    savepoint = name;
    complete = each->complete;
  }
  std::string error;
  if (!complete && !entry.job->live()) error = "the job was stopped before";
  return json_response(200, {{"id", trigger},
                             {"job", entry.job->id.value},
                             {"complete", complete},
                             {"key_partitions", {{"total", total}, {"done", done}}},
                             {"savepoint", savepoint},
                             {"error", error}});
}

HttpResponse savepoints_response(const CoordinatorState& state) {
  Json list = Json::array();
  for (const auto& [name, savepoint] : state.savepoints) list.push_back(savepoint_json(*savepoint));
  return json_response(200, {{"savepoints", std::move(list)}});
}

HttpResponse savepoint_response(const Savepoint& savepoint) {
  Json out = savepoint_json(savepoint);
  out["snapshots"] = Json::array();
  for (uint32_t k = 0; k < savepoint.snapshots.size(); ++k) {
    Json each = {{"key_partition", k}};
    each.update(snapshot_json(savepoint.snapshots[k]));
    out["snapshots"].push_back(std::move(each));
  }
  if (savepoint.complete) {
    out["needed_offsets"] = needed_json(savepoint.plan->proto(), savepoint.offsets);
    out["yaml"] = savepoint.plan->proto().yaml();
  }
  return json_response(200, out);
}

HttpResponse deleted_savepoint_response(const std::string& name) {
  return json_response(202, {{"name", name}});
}

HttpResponse started_check_response(uint64_t id) { return json_response(202, {{"id", id}}); }

HttpResponse check_response(const SnapshotCheck& check) {
  Json problems = Json::array();
  for (const auto& each : check.problems) {
    problems.push_back({{"key_partition", each.key_partition},
                        {"manifest", each.manifest},
                        {"problem", each.problem}});
  }
  return json_response(200, {{"id", check.id},
                             {"what", check.what},
                             {"done", check.done()},
                             {"snapshots", check.manifests.size()},
                             {"verified", check.verified},
                             {"superseded", check.superseded},
                             {"damaged", check.damaged},
                             {"problems", std::move(problems)}});
}

HttpResponse contents_response(uint32_t key_partition, const std::vector<ReadSnapshot>& snapshots) {
  Json list = Json::array();
  for (const auto& each : snapshots) {
    Json out = snapshot_json(each.snapshot);
    out["problem"] = each.problem;
    if (each.manifest) {
      out["written_by_job"] = each.manifest->job();
      out["files"] = Json::array();
      for (const auto& file : each.manifest->files()) out["files"].push_back(file_json(file));
      out["head"] = head_json(each.manifest->head());
    }
    list.push_back(std::move(out));
  }
  return json_response(200, {{"key_partition", key_partition}, {"snapshots", std::move(list)}});
}

}  // namespace tidemill
