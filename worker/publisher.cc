#include "worker/publisher.h"

#include <set>

#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {

Publisher::Publisher(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job)
    : runtime_(runtime), self_(self), config_(config), job_(job) {}

void Publisher::on_view(const ClusterState& view, const KeyPartitions& owned) {
  std::set<ActorAddress> wanted;
  const auto credit = static_cast<uint64_t>(
      credit_share(config_.frame_credit_bytes, view.endpoints.size() * view.jobs.size()));
  for (const StoreMember& store : view.stores) {
    for (const auto& [k, owner] : owned) {
      const ActorAddress address{store.node, {store_shard_of(k, store.shards), kStoreShardIndex}};
      wanted.insert(address);
      Link& link = links_.try_emplace(address, credit).first->second;
      link.sending.set_credit(credit);
      link.sessions.try_emplace(k);
    }
  }
  for (auto it = links_.begin(); it != links_.end();) {
    if (!wanted.contains(it->first)) {
      it = links_.erase(it);
      continue;
    }
    std::erase_if(it->second.sessions, [&](const auto& s) { return !owned.contains(s.first); });
    ++it;
  }
}

void Publisher::on_replica_states(const ActorAddress& from, const ReplicaStates& message,
                                  const KeyPartitions& owned) {
  const auto link = links_.find(from);
  if (link == links_.end()) return;
  for (const ReplicaState& state : message.entries) {
    const auto session = link->second.sessions.find(state.key_partition);
    const auto owner = owned.find(state.key_partition);
    if (session == link->second.sessions.end() || owner == owned.end()) continue;
    session->second.on_replica_state(*owner->second, state);
    if (session->second.mode() == ReplicaSession::Mode::kFenced) {
      log_event(LogLevel::kWarning, "key_partition_fenced",
                {{"job", job_.value},
                 {"key_partition", state.key_partition.value},
                 {"epoch", owner->second->epoch().value},
                 {"newer", state.registered.value}});
    }
  }
}

void Publisher::on_ack(const ActorAddress& from, const FrameAck& message, KeyPartitions& owned) {
  const auto link = links_.find(from);
  if (link == links_.end()) return;
  link->second.sending.acknowledged(message.link_seq, runtime_.monotonic_us());
  for (const FrameAck::Entry& entry : message.entries) {
    const auto session = link->second.sessions.find(entry.key_partition);
    if (session != link->second.sessions.end() && session->second.id() == entry.session) {
      session->second.on_ack(entry.version);
    }
  }
  publish(owned);
}

void Publisher::publish(KeyPartitions& owned) {
  StageTimer timer(runtime_, &cost_);
  for (auto& [store, link] : links_) {
    if (link.sending.stalled(runtime_.monotonic_us(), config_.link_stall_ms * 1000)) {
      give_up(&link);
    }
    register_sessions(store, &link, owned);
    send_parts(store, &link, owned);
  }
  forget_what_all_have(owned);
}

// What is in flight will not arrive, or nobody says so: every session starts over.
void Publisher::give_up(Link* link) {
  link->sending.reset();
  for (auto& [k, session] : link->sessions) {
    if (session.mode() != ReplicaSession::Mode::kFenced) session.unregister();
  }
}

void Publisher::register_sessions(const ActorAddress& store, Link* link,
                                  const KeyPartitions& owned) {
  const int64_t now = runtime_.monotonic_us();
  RegisterReplicas message{job_, {}};
  for (auto& [k, session] : link->sessions) {
    if (!session.should_register(now, config_.replica_retry_ms * 1000)) continue;
    message.entries.push_back(session.begin_registration(*owned.at(k), next_session_++, now));
  }
  if (!message.entries.empty()) {
    runtime_.send(self_, store, kRegisterReplicas, message.encode());
  }
}

void Publisher::send_parts(const ActorAddress& store, Link* link, const KeyPartitions& owned) {
  while (link->sending.has_credit() && send_message(store, link, owned)) {
  }
}

// One message of up to about frame_bytes; false if there was nothing to send.
bool Publisher::send_message(const ActorAddress& store, Link* link, const KeyPartitions& owned) {
  Frames message;
  message.job = job_;
  size_t bytes = 0;
  const int64_t now = runtime_.monotonic_us();
  auto it = link->sessions.lower_bound(link->next);
  for (size_t visited = 0;
       visited < link->sessions.size() && bytes < static_cast<size_t>(config_.frame_bytes);
       ++visited) {
    if (it == link->sessions.end()) it = link->sessions.begin();
    const uint64_t images_before = it->second.images_sent();
    FramePart part;
    if (it->second.next_part(*owned.at(it->first), config_.frame_bytes / 4, now,
                             config_.keepalive_ms * 1000, &part)) {
      bytes += part.payload_bytes() + 72;
      message.parts.push_back(std::move(part));
    }
    images_sent_ += it->second.images_sent() - images_before;
    ++it;
  }
  link->next = it == link->sessions.end() ? KeyPartitionId(0) : it->first;
  if (message.parts.empty()) return false;
  message.link_seq = link->sending.sent(bytes, now);
  if (runtime_.send(self_, store, kFrames, message.encode()) == SendResult::kAccepted) return true;
  give_up(link);
  return false;
}

void Publisher::forget_what_all_have(KeyPartitions& owned) {
  uint64_t unsent_bytes = 0;
  for (auto& [k, owner] : owned) {
    uint64_t all_have = owner->version();
    for (const auto& [store, link] : links_) {
      const auto session = link.sessions.find(k);
      if (session == link.sessions.end()) continue;
      all_have = std::min(all_have, session->second.needs_rows_after());
    }
    owner->drop_unsent(all_have);
    unsent_bytes += owner->unsent_bytes();
  }
  if (unsent_bytes <= static_cast<uint64_t>(config_.unsent_limit_bytes)) return;
  log_event(LogLevel::kInfo, "unsent_rows_dropped",
            {{"job", job_.value}, {"bytes", unsent_bytes}, {"instead", "images of changed keys"}});
  for (auto& [k, owner] : owned) owner->drop_unsent(owner->version());
}

OffsetVector Publisher::published(const KeyPartition& owner) const {
  OffsetVector out;
  bool first = true;
  for (const auto& [store, link] : links_) {
    const auto session = link.sessions.find(owner.id());
    if (session == link.sessions.end()) continue;
    const OffsetVector& acked = session->second.acked_offsets();
    if (acked.empty()) return {};
    if (first) {
      out = acked;
      first = false;
      continue;
    }
    for (size_t s = 0; s < out.size() && s < acked.size(); ++s) {
      if (acked[s].offset < out[s].offset) out[s] = acked[s];
    }
  }
  return out;
}

}  // namespace tidemill
