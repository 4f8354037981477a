#include "coordinator/rest_rebalance.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "coordinator/node_text.h"

namespace tidemill {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostMovesShown = 1000;

HttpResponse json_response(int status, const Json& json) {
  HttpResponse out;
  out.status = status;
  out.body = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  return out;
}

const char* kind_text(MoveKind kind) {
  switch (kind) {
    case MoveKind::kReader:
      return "reader";
    case MoveKind::kOwner:
      return "owner";
    case MoveKind::kStandby:
      return "standby";
  }
  return "";
}

std::string node_or_nobody(NodeId node) { return node == NodeId{} ? "" : node_text(node); }

const std::string& name_of(const CoordinatorState& state, JobId job) {
  return state.jobs.at(job).job->name;
}

double rounded(double share) { return std::round(share * 1000) / 1000; }

Json worker_json(const WorkerLoad& worker) {
  const auto both = [](auto before, auto after) {
    return Json{{"before", before}, {"after", after}};
  };
  return {{"node", node_text(worker.node)},
          {"draining", worker.draining},
          {"load", both(rounded(worker.load_before), rounded(worker.load_after))},
          {"key_partitions", both(worker.key_partitions_before, worker.key_partitions_after)},
          {"standbys", both(worker.standbys_before, worker.standbys_after)},
          {"source_partitions", both(worker.readers_before, worker.readers_after)},
          {"disk_bytes", both(worker.disk_bytes_before, worker.disk_bytes_after)}};
}

Json or_null(TimeUs time) { return time == 0 ? Json(nullptr) : Json(format_timestamp(time)); }

Json record_json(const RebalanceRecord& record) {
  return {{"id", record.id},
          {"cause", record.cause},
          {"started_at", or_null(record.started_at)},
          {"finished_at", or_null(record.finished_at)},
          {"moves", record.moves},
          {"done", record.done},
          {"dropped", record.dropped}};
}

Json drain_json(const DrainStatus& status) {
  return {{"node", node_text(status.node)},
          {"key_partitions", status.key_partitions},
          {"standbys", status.standbys},
          {"source_partitions", status.source_partitions},
          {"finished", status.finished()}};
}

}  // namespace

HttpResponse plan_response(const CoordinatorState& state, const RebalancePlan& plan) {
  Json json{{"measured", plan.measured}, {"margin_percent", kLoadMarginPercent}};
  json["moves"] = Json::array();
  for (const PlannedMove& move : plan.moves) {
    const char* number = move.kind == MoveKind::kReader ? "source_partition" : "key_partition";
    json["moves"].push_back({{"kind", kind_text(move.kind)},
                             {"job", name_of(state, move.job)},
                             {number, move.number},
                             {"from", node_text(move.from.node)},
                             {"to", node_text(move.to.node)},
                             {"reason", move.reason}});
  }
  json["workers"] = Json::array();
  for (const WorkerLoad& worker : plan.workers) json["workers"].push_back(worker_json(worker));
  json["obstacles"] = Json::array();
  for (const Obstacle& obstacle : plan.obstacles) {
    json["obstacles"].push_back({{"constraint", obstacle.constraint}, {"text", obstacle.text}});
  }
  return json_response(200, json);
}

HttpResponse rebalance_started_response(const RebalanceRecord& record) {
  return json_response(202, record_json(record));
}

HttpResponse rebalance_response(const CoordinatorState& state, const std::vector<MoveStatus>& moves,
                                TimeUs now) {
  Json json = record_json(state.rebalance);
  size_t under_way = 0;
  Json list = Json::array();
  for (const MoveStatus& status : moves) {
    const KeyPartitionMove& move = status.move;
    under_way += move.shown_in != 0 ? 1 : 0;
    if (list.size() == kMostMovesShown) continue;
    Json shown{{"kind", move.role == KeyPartitionMove::Role::kOwner ? "owner" : "standby"},
               {"job", name_of(state, status.job)},
               {"key_partition", move.key_partition},
               {"from", node_or_nobody(status.from)},
               {"to", node_text(move.to.node)},
               {"state", move.shown_in == 0 ? "waiting" : "catching up"},
               {"waits_for", status.waiting},
               {"stalled", status.stalled}};
    shown["for_ms"] = move.begun_at == 0 ? Json(nullptr) : Json((now - move.begun_at) / 1000);
    list.push_back(std::move(shown));
  }
  json["under_way"] = under_way;
  json["waiting"] = moves.size() - under_way;
  json["pending_moves"] = std::move(list);
  json["draining"] = Json::array();
  for (const DrainStatus& status : drain_status(state)) {
    json["draining"].push_back(drain_json(status));
  }
  return json_response(200, json);
}

HttpResponse drain_response(const CoordinatorState& state, NodeId node) {
  for (const DrainStatus& status : drain_status(state)) {
    if (status.node != node) continue;
    Json json = drain_json(status);
    json["draining"] = true;
    return json_response(202, json);
  }
  return json_response(202, {{"node", node_text(node)}, {"draining", false}});
}

}  // namespace tidemill
