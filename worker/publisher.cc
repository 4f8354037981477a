#include "worker/publisher.h"

#include <algorithm>
#include <optional>

#include "shared/member/member_agent.h"
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr size_t kPartBytes = 96;  // of a part without its payload
constexpr size_t kWalksPerLink = 2;

void add(const ReplicaSession::Counts& part, ReplicaSession::Counts* sum) {
  sum->resumed += part.resumed;
  sum->images_since += part.images_since;
  sum->replaced += part.replaced;
}

}  // namespace

Publisher::Publisher(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job)
    : runtime_(runtime), self_(self), config_(config), job_(job) {}

void Publisher::follow(const ActorAddress& address, KeyPartitionId k, uint64_t credit, bool store,
                       std::set<std::pair<ActorAddress, KeyPartitionId>>* wanted) {
  wanted->emplace(address, k);
  Link& link = links_.try_emplace(address, credit, store).first->second;
  link.sending.set_credit(credit);
  link.sessions.try_emplace(k);
}

void Publisher::on_view(const ClusterState& view, const JobInView& job, const Owned& owned) {
  std::set<std::pair<ActorAddress, KeyPartitionId>> wanted;
  const auto credit = static_cast<uint64_t>(
      credit_share(config_.frame_credit_bytes, view.endpoints.size() * view.jobs.size()));
  for (const auto& [k, owner] : owned) {
    for (const StoreMember& store : view.stores) {
      follow({store.node, {store_shard_of(k, store.shards), kStoreShardIndex}}, k, credit, true,
             &wanted);
    }
    for (const Standby& standby : job.key_partitions[k.value].standbys) {
      follow({standby.node, {standby.shard, kPartitionHostIndex}}, k, credit, false, &wanted);
    }
  }
  for (auto it = links_.begin(); it != links_.end();) {
    auto& sessions = it->second.sessions;
    for (auto session = sessions.begin(); session != sessions.end();) {
      if (wanted.contains({it->first, session->first})) {
        ++session;
        continue;
      }
      image_bytes_ += session->second.image_bytes();
      add(session->second.counts(), &past_counts_);
      session = sessions.erase(session);
    }
    it = sessions.empty() ? links_.erase(it) : std::next(it);
  }
}

void Publisher::on_replica_states(const ActorAddress& from, const ReplicaStates& message,
                                  const Owned& owned) {
  const auto link = links_.find(from);
  if (link == links_.end()) return;
  for (const ReplicaState& state : message.entries) {
    const auto session = link->second.sessions.find(state.key_partition);
    const auto owner = owned.find(state.key_partition);
    if (session == link->second.sessions.end() || owner == owned.end()) continue;
    session->second.on_replica_state(owner->second.epoch, state);
    if (session->second.mode() == ReplicaSession::Mode::kFenced) {
      log_event(LogLevel::kWarning, "key_partition_fenced",
                {{"job", job_.value},
                 {"key_partition", state.key_partition.value},
                 {"epoch", owner->second.epoch.value},
                 {"newer", state.registered.value}});
      runtime_.post_local(self_, kAgent, std::make_unique<ViewWanted>());
    }
  }
}

void Publisher::on_ack(const ActorAddress& from, const FrameAck& message, Owned& owned) {
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

void Publisher::on_page(KeyPartitionId k, ScanPage page) {
  for (auto& [address, link] : links_) {
    const auto session = link.sessions.find(k);
    if (session != link.sessions.end()) session->second.on_page(page);
  }
}

void Publisher::publish(Owned& owned) {
  StageTimer timer(runtime_, &cost_);
  for (auto& [address, link] : links_) {
    if (link.sending.stalled(runtime_.monotonic_us(), config_.link_stall_ms * 1000)) {
      give_up(&link);
    }
    register_sessions(address, &link, owned);
    send_parts(address, &link, owned);
    fetch_images(&link, owned);
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

void Publisher::register_sessions(const ActorAddress& to, Link* link, const Owned& owned) {
  const int64_t now = runtime_.monotonic_us();
  RegisterReplicas message{job_, {}};
  for (auto& [k, session] : link->sessions) {
    if (!session.should_register(now, config_.replica_retry_ms * 1000)) continue;
    message.entries.push_back(
        session.begin_registration(k, owned.at(k).epoch, next_session_++, now));
  }
  if (!message.entries.empty()) runtime_.send(self_, to, kRegisterReplicas, message.encode());
}

// Has the disk brought to where a scan may begin, and pages fetched. A replica keeps images aside
// until it has all of a key partition's, and pages wait here for credit: so there are few walks at
// a time.
void Publisher::fetch_images(Link* link, Owned& owned) {
  auto walks = static_cast<size_t>(
      std::count_if(link->sessions.begin(), link->sessions.end(),
                    [](const auto& session) { return session.second.walking(); }));
  auto it = link->sessions.lower_bound(link->next_walk);
  for (size_t visited = 0; visited < link->sessions.size(); ++visited, ++it) {
    if (it == link->sessions.end()) it = link->sessions.begin();
    auto& [k, session] = *it;
    const auto wanted = session.scan_wanted();
    if (!wanted) continue;
    if (wanted->begin && walks >= kWalksPerLink) continue;
    OwnedPartition& owner = owned.at(k);
    const KeyPartition& partition = *owner.partition;
    if (wanted->begin && partition.disk_version() < wanted->disk_version) {
      owner.wanted_disk_version = std::max(owner.wanted_disk_version, wanted->disk_version);
      continue;
    }
    owner.disk->scan(*wanted, static_cast<size_t>(config_.frame_bytes) / 4);
    if (wanted->begin) {
      ++walks;
      link->next_walk = KeyPartitionId(k.value + 1);
    }
    session.scan_asked();
  }
}

void Publisher::send_parts(const ActorAddress& to, Link* link, const Owned& owned) {
  while (link->sending.has_credit() && send_message(to, link, owned)) {
  }
}

// One message of up to about frame_bytes; false if there was nothing to send.
bool Publisher::send_message(const ActorAddress& to, Link* link, const Owned& owned) {
  Frames message;
  message.job = job_;
  size_t bytes = 0;
  const int64_t now = runtime_.monotonic_us();
  auto it = link->sessions.lower_bound(link->next);
  for (size_t visited = 0;
       visited < link->sessions.size() && bytes < static_cast<size_t>(config_.frame_bytes);
       ++visited, ++it) {
    if (it == link->sessions.end()) it = link->sessions.begin();
    const KeyPartition* owner = owned.at(it->first).partition.get();
    FramePart part;
    if (owner != nullptr && it->second.next_part(*owner, config_.frame_bytes / 4, now,
                                                 config_.keepalive_ms * 1000, &part)) {
      bytes += part.payload_bytes() + kPartBytes;
      message.parts.push_back(std::move(part));
    }
  }
  link->next = it == link->sessions.end() ? KeyPartitionId(0) : it->first;
  if (message.parts.empty()) return false;
  message.link_seq = link->sending.sent(bytes, now);
  if (runtime_.send(self_, to, kFrames, message.encode()) == SendResult::kAccepted) return true;
  give_up(link);
  return false;
}

// What is on disk already may be forgotten if all replicas have it; or if there is too much of it.
void Publisher::forget_what_all_have(Owned& owned) {
  uint64_t unsent_bytes = 0;
  behind_bytes_ = 0;
  for (auto& [k, owner] : owned) {
    if (!owner.partition) continue;
    behind_bytes_ += behind_bytes_of(k, *owner.partition);
    uint64_t all_have = owner.partition->disk_version();
    for (const auto& [address, link] : links_) {
      const auto session = link.sessions.find(k);
      if (session == link.sessions.end()) continue;
      all_have = std::min(all_have, session->second.needs_rows_after(*owner.partition));
    }
    owner.partition->drop_unsent(all_have);
    const uint64_t pending = owner.partition->pending_bytes();  // there anyway
    unsent_bytes += std::max(owner.partition->unsent_bytes(), pending) - pending;
  }
  if (unsent_bytes <= static_cast<uint64_t>(config_.unsent_limit_bytes)) return;
  log_event(LogLevel::kInfo, "unsent_rows_dropped",
            {{"job", job_.value}, {"bytes", unsent_bytes}, {"instead", "images of changed keys"}});
  for (auto& [k, owner] : owned) {
    if (owner.partition) owner.partition->drop_unsent(owner.partition->disk_version());
  }
}

// Of the store's replica that is ahead of the others: those that are slower than it hold up nobody.
uint64_t Publisher::behind_bytes_of(KeyPartitionId k, const KeyPartition& owner) const {
  std::optional<uint64_t> has;
  for (const auto& [address, link] : links_) {
    const auto session = link.sessions.find(k);
    if (!link.store || session == link.sessions.end()) continue;
    has = std::max(has, session->second.acked_bytes());  // nothing is the least
  }
  return has ? owner.noted_bytes() - *has : 0;
}

bool Publisher::all_answered(KeyPartitionId k) const {
  return std::all_of(links_.begin(), links_.end(), [&](const auto& link) {
    if (!link.second.store) return true;
    const auto session = link.second.sessions.find(k);
    return session == link.second.sessions.end() || session->second.answered();
  });
}

std::vector<StoreReplica> Publisher::store_replicas(KeyPartitionId k) const {
  std::vector<StoreReplica> out;
  for (const auto& [address, link] : links_) {
    const auto session = link.sessions.find(k);
    if (!link.store || session == link.sessions.end()) continue;
    out.push_back({address, session->second.answered(), session->second.registered_state()});
  }
  return out;
}

std::vector<uint64_t> Publisher::cuts(KeyPartitionId k, uint32_t source, uint64_t from) const {
  std::set<uint64_t> offsets;
  for (const auto& [address, link] : links_) {
    const auto session = link.sessions.find(k);
    if (session == link.sessions.end()) continue;
    const ReplicaState* state = session->second.registered_state();
    if (session->second.mode() != ReplicaSession::Mode::kWait || state == nullptr) continue;
    if (source >= state->offsets.size()) continue;
    const uint64_t offset = state->offsets[source].offset;
    if (offset > from) offsets.insert(offset);
  }
  std::vector<uint64_t> out(offsets.begin(), offsets.end());
  if (out.size() > OpenSessions::kMaxCuts) out.resize(OpenSessions::kMaxCuts);
  return out;
}

bool Publisher::fenced(KeyPartitionId k) const {
  return std::any_of(links_.begin(), links_.end(), [&](const auto& link) {
    const auto session = link.second.sessions.find(k);
    return session != link.second.sessions.end() &&
           session->second.mode() == ReplicaSession::Mode::kFenced;
  });
}

std::vector<std::pair<NodeId, bool>> Publisher::standbys(KeyPartitionId k, uint64_t version) const {
  std::vector<std::pair<NodeId, bool>> out;
  for (const auto& [address, link] : links_) {
    const auto session = link.sessions.find(k);
    if (link.store || session == link.sessions.end()) continue;
    const bool has_all = session->second.mode() == ReplicaSession::Mode::kRows &&
                         session->second.acked_version() >= version;
    out.emplace_back(address.node, has_all);
  }
  return out;
}

ReplicaSession::Counts Publisher::counts() const {
  ReplicaSession::Counts out = past_counts_;
  for (const auto& [address, link] : links_) {
    for (const auto& [k, session] : link.sessions) add(session.counts(), &out);
  }
  return out;
}

OffsetVector Publisher::published(const KeyPartition& owner) const {
  OffsetVector out;
  bool first = true;
  for (const auto& [address, link] : links_) {
    const auto session = link.sessions.find(owner.id());
    if (!link.store || session == link.sessions.end()) continue;
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
