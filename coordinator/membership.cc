#include "coordinator/membership.h"

#include <algorithm>
#include <utility>

namespace tidemill {
namespace {

constexpr size_t kMaxEndpointBytes = 256;
constexpr uint32_t kMaxShards = 256;

std::string what_is_wrong(const proto::Heartbeat& report) {
  if (report.node() == 0) return "node 0 is nobody";
  if (report.role() != proto::WORKER && report.role() != proto::STORE) return "unknown role";
  if (report.endpoint().empty() || report.endpoint().size() > kMaxEndpointBytes ||
      report.http_address().size() > kMaxEndpointBytes) {
    return "an endpoint has 1 to " + std::to_string(kMaxEndpointBytes) + " bytes";
  }
  if (report.shards() == 0 || report.shards() > kMaxShards) {
    return "shards must be 1 to " + std::to_string(kMaxShards);
  }
  return {};
}

MemberInfo info_of(const proto::Heartbeat& report) {
  return {NodeId{report.node()}, report.endpoint(), static_cast<MemberRole>(report.role()),
          report.shards()};
}

}  // namespace

void MembershipTable::expect(const MemberInfo& info, int64_t now_us) {
  Entry entry;
  entry.info = info;
  entry.last_heartbeat_us = now_us;
  entry.deadline_us = now_us + limits_.lease_us;
  alive_at_[info.endpoint] = info.node;
  entries_[info.node] = std::move(entry);
}

MembershipTable::Answer MembershipTable::heartbeat(proto::Heartbeat report, int64_t now_us) {
  if (auto wrong = what_is_wrong(report); !wrong.empty()) {
    return {Verdict::kRefused, std::move(wrong), {}};
  }
  const MemberInfo info = info_of(report);
  Answer answer{Verdict::kKnown, {}, {}};
  auto it = entries_.find(info.node);
  if (it == entries_.end()) {
    if (report.view_version() > 0) {
      return {Verdict::kFenced, "not a member of this cluster any more: start again", {}};
    }
    if (report.leaving()) return {Verdict::kFenced, "it leaves", {}};
    const auto at = alive_at_.find(info.endpoint);
    const bool replaces = at != alive_at_.end();
    if (!replaces && alive_at_.size() >= limits_.max_members) {
      return {Verdict::kRefused, "the cluster has as many members as max-members allows", {}};
    }
    if (replaces) {
      answer.replaced = at->second;
      declare_dead(&entries_.at(at->second));
    }
    answer.verdict = Verdict::kJoined;
    it = entries_.emplace(info.node, Entry{}).first;
    it->second.info = info;
    alive_at_[info.endpoint] = info.node;
  } else if (!it->second.alive) {
    return {Verdict::kFenced,
            "declared dead: no heartbeat for the length of the lease, or a newer "
            "process at the same endpoint; start again",
            {}};
  } else if (!(it->second.info == info)) {
    return {Verdict::kRefused, "endpoint, role and shards never change during an incarnation", {}};
  }
  Entry& entry = it->second;
  if (report.leaving()) {
    declare_dead(&entry);
    return {Verdict::kLeft, "it leaves", {}};
  }
  entry.http = report.http_address();
  entry.pid = report.pid();
  entry.reported = true;
  entry.last_heartbeat_us = now_us;
  entry.deadline_us = now_us + limits_.lease_us;
  entry.suspected = false;
  entry.report = std::move(report);
  return answer;
}

bool MembershipTable::suspect(NodeId node, int64_t now_us) {
  const auto it = entries_.find(node);
  if (it == entries_.end() || !it->second.alive || it->second.suspected) return false;
  it->second.suspected = true;
  it->second.deadline_us = std::min(it->second.deadline_us, now_us + limits_.broken_link_us);
  return true;
}

std::vector<NodeId> MembershipTable::expire(int64_t now_us) {
  const int64_t since = expired_at_us_ < 0 ? 0 : now_us - expired_at_us_;
  expired_at_us_ = now_us;
  std::vector<NodeId> dead;
  for (auto& [node, entry] : entries_) {
    if (!entry.alive) continue;
    const int64_t term = entry.suspected ? limits_.broken_link_us : limits_.lease_us;
    if (since > term / 2) {
      entry.deadline_us = std::min(entry.deadline_us + since, now_us + term);
    }
    if (entry.deadline_us <= now_us) dead.push_back(node);
  }
  for (const auto node : dead) declare_dead(&entries_.at(node));
  return dead;
}

bool MembershipTable::all_reported() const {
  for (const auto& [node, entry] : entries_) {
    if (entry.alive && !entry.reported) return false;
  }
  return true;
}

std::map<NodeId, MemberInfo> MembershipTable::alive() const {
  std::map<NodeId, MemberInfo> out;
  for (const auto& [node, entry] : entries_) {
    if (entry.alive) out.emplace(node, entry.info);
  }
  return out;
}

const MembershipTable::Entry* MembershipTable::find_alive(NodeId node) const {
  const auto it = entries_.find(node);
  return it == entries_.end() || !it->second.alive ? nullptr : &it->second;
}

void MembershipTable::declare_dead(Entry* entry) {
  entry->alive = false;
  entry->report.clear_jobs();
  const auto at = alive_at_.find(entry->info.endpoint);
  if (at != alive_at_.end() && at->second == entry->info.node) alive_at_.erase(at);
  dead_.push_back(entry->info.node);
  if (dead_.size() > limits_.max_dead_remembered) {
    entries_.erase(dead_.front());
    dead_.pop_front();
  }
}

}  // namespace tidemill
