// PartitionHost: increments, and the memory of what is in none yet.
#include "worker/partition_host.h"

namespace tidemill {
namespace {

// Writes under way at once, of all jobs of a shard, and as many urgent ones: more would only wait
// for each other.
constexpr size_t kWritesAtOnce = 2;
// What is pending may come to this many times its limit before readers get no more credit...
constexpr uint64_t kHoldBeyond = 2;
// ...and to this many before nothing more is taken in: what is on its way then still comes.
constexpr uint64_t kRefuseBeyond = 3;
// With a budget there is room left for sorting so many times the changes of the key partition that
// has most: they take about as much again, and may be most of all.
constexpr uint64_t kSortedBeside = 2;
// Stores may be behind by one in so many parts of what is kept for them before readers wait.
constexpr uint64_t kAheadPerLimit = 2;

}  // namespace

PartitionHost::PendingBytes PartitionHost::pending_bytes() const {
  PendingBytes out;
  const auto add = [&](uint64_t bytes) {
    out.all += bytes;
    out.most = std::max(out.most, bytes);
  };
  for (const auto& [id, job] : jobs_) {
    for (const auto& [k, owner] : job.owned) {
      if (owner.partition) add(owner.partition->pending_bytes());
    }
    for (const auto& [k, standby] : job.standbys) {
      if (standby.follower) add(standby.follower->pending_bytes());
    }
  }
  return out;
}

uint64_t PartitionHost::accounted_bytes() const {
  uint64_t bytes = pending_bytes().all;
  for (const auto& [id, job] : jobs_) {
    for (const auto& [k, owner] : job.owned) {
      // What is pending is mostly what is unsent, and shares its bytes.
      if (!owner.partition) continue;
      const uint64_t pending = owner.partition->pending_bytes();
      bytes += std::max(owner.partition->unsent_bytes(), pending) - pending;
    }
    for (const auto& [k, standby] : job.standbys) {
      if (standby.follower) bytes += standby.follower->staged_bytes();
    }
  }
  return bytes;
}

// The same, by consumer.
MemoryUse PartitionHost::memory_use() const {
  MemoryUse use;
  const uint64_t pending = use["changes"] = pending_bytes().all;
  uint64_t& staged = use["staged"];
  for (const auto& [id, job] : jobs_) {
    for (const auto& [k, standby] : job.standbys) {
      if (standby.follower) staged += standby.follower->staged_bytes();
    }
  }
  use["unsent"] = accounted_bytes() - pending - staged;
  return use;
}

// With a budget half of what there is room for: the rest is for what comes while it is written.
uint64_t PartitionHost::pending_limit(const PendingBytes& pending) const {
  const auto most = static_cast<uint64_t>(config_.pending_limit_bytes);
  if (!memory_.bounded()) return most;
  const uint64_t others = accounted_bytes() - pending.all + kSortedBeside * pending.most;
  const uint64_t left = memory_.limit() - std::min(memory_.limit(), others);
  return std::min(most, std::max(left, memory_.limit() / 4) / kHoldBeyond);
}

void PartitionHost::write_snapshots() {
  const PendingBytes of_shard = pending_bytes();
  const uint64_t pending = of_shard.all;
  const uint64_t limit = pending_limit(of_shard);
  bool failing = false;
  WriteRoom room{kWritesAtOnce, kWritesAtOnce};
  for (const auto& [id, job] : jobs_) {
    const WriteRoom& in_flight = job.snapshotter->in_flight();
    room.ordinary -= std::min(room.ordinary, in_flight.ordinary);
    room.urgent -= std::min(room.urgent, in_flight.urgent);
    failing = failing || job.snapshotter->writes_fail();
  }
  // Waiting for a disk that does not work gains nothing: others go on without this worker.
  refusing_ = pending > kRefuseBeyond * limit || (failing && pending > kHoldBeyond * limit);
  short_of_memory_ = !failing && pending > kHoldBeyond * limit;
  const bool held = pending > kHoldBeyond * limit;  // or nothing more is taken in
  const Pressure pressure = held              ? Pressure::kHeld
                            : pending > limit ? Pressure::kPiledUp
                                              : Pressure::kNone;
  for (auto& [id, job] : jobs_) {
    job.snapshotter->begin_due(&job.owned, &job.standbys, job.snapshot_trigger, pressure, &room);
    job.snapshotter->tell_registry(coordinator_, &job.owned);
  }
  send_acks();
}

// So far that images would soon be cheaper for a store than all the rows that it has not applied
// yet. It has no chance of catching up by them either if readers go on as fast as they can.
bool PartitionHost::ahead_of_stores() const {
  uint64_t bytes = 0;
  for (const auto& [id, job] : jobs_) bytes += job.publisher->behind_bytes();
  return bytes > static_cast<uint64_t>(config_.unsent_limit_bytes) / kAheadPerLimit;
}

// Readers wait for stores; what a standby has applied does not.
void PartitionHost::send_acks() {
  batch_acks_.send(short_of_memory_ || ahead_of_stores());
  frame_acks_.send(short_of_memory_);
}

}  // namespace tidemill
