// ReplicaSet: increments, memory and warming up.
#include <algorithm>

#include "serving/replica_set_jobs.h"
#include "shared/base/mutation.h"
#include "shared/obs/log.h"
#include "shared/state/sst_readers.h"

namespace tidemill {
namespace {

constexpr size_t kWritesAtOnce = 1;     // per shard: cold reads want the blocking pool too
constexpr size_t kWritesForMemory = 3;  // while memory is short: writes wait for syncs, mostly
constexpr int64_t kWriteAgainUs = 1'000'000;
constexpr int64_t kTickUs = 50'000;
constexpr int64_t kBusyTickUs = 5'000;
constexpr size_t kEvictSlots = 8'192;  // looked at per turn
constexpr size_t kPageBytes = 256 << 10;
constexpr double kWarmUpBegins = 0.7;  // of the limit
constexpr double kWarmUpEnds = 0.85;   // of the limit
constexpr int64_t kWarmUpAgainUs = 1'000'000;
constexpr double kGrowthEnds = 0.8;       // of the limit
constexpr uint64_t kPendingPerLimit = 4;  // more than one in so many parts of it: written sooner
constexpr uint64_t kPendingEntry = 192;   // of a change, beside its bytes
// What comes while keys are read is applied together with them, in one turn: so much takes a part
// of a second, if it is all of one key. Reads that take shorter are not worth a word.
constexpr uint64_t kPendingBesideReads = 8 << 20;
constexpr int64_t kLongReadUs = 200'000;

uint64_t pending_of(const Follower& follower) {
  return follower.pending_bytes() + follower.pending().size() * kPendingEntry;
}

}  // namespace

int64_t ReplicaSet::tick() {
  const int64_t now_us = runtime_.monotonic_us();
  for (auto& [id, held] : held_) {
    if (held.opened && !held.opening && held.disk == nullptr && now_us >= held.next_open_us) {
      open(&held);
    }
  }
  memory_.tick(accounted_bytes());
  go_on_handing_over();
  write_more();
  const bool busy = relieve();
  begin_warm_up();
  return busy ? kBusyTickUs : kTickUs;
}

// A warm-up's pages are of one state on disk: it stays that one until the walk has ended.
bool ReplicaSet::may_write(const HeldReplica& held) const {
  const Follower& follower = held.replica->follower();
  return held.disk != nullptr && follower.holds_state() && follower.changed() &&
         !follower.writing() && !(warm_up_ && warm_up_->id == held.id);
}

void ReplicaSet::write(HeldReplica* held) {
  ++writing_;
  const auto increment =
      std::make_shared<Increment>(held->replica->follower().begin_increment(runtime_.wall_us()));
  held->changes.cut();
  if (held->hand_over && mutated(Mutation::kHandOverHeadOnly)) increment->changes.clear();
  on_disk(*held, [this, increment](PartitionDisk& disk) -> Then {
    return [this, written = disk.write(*increment)](HeldReplica* found) {
      --writing_;
      if (found != nullptr) end_write(found, written);
      write_more();
    };
  });
}

void ReplicaSet::end_write(HeldReplica* held, const Status& written) {
  held->replica->follower().end_increment(written.ok());
  const int64_t now_us = runtime_.monotonic_us();
  Counts& counts = counts_[held->id.job];
  if (written.ok()) {
    ++counts.increments;
    const int64_t interval_us = config_.snapshot_interval_ms * 1'000;
    const int64_t late_us = now_us - held->next_write_us;
    if (late_us >= 0) held->next_write_us += (late_us / interval_us + 1) * interval_us;
    if (failing_ && may_log("works")) log_event(LogLevel::kInfo, "store_disk_works", {});
    failing_ = false;
  } else {
    ++counts.failed_increments;
    failing_ = true;
    held->next_write_us = now_us + std::min(kWriteAgainUs, config_.snapshot_interval_ms * 1'000);
    failed(held, "write", written.error());
    if (held->hand_over) {
      end_hand_over(held, StateWritten::Outcome::kFailed, written.error().message());
    }
  }
}

// What is due, and more if memory is short. The disk is not left idle between writes.
void ReplicaSet::write_more() {
  write_what_is_due(runtime_.monotonic_us());
  if (!memory_.bounded()) return;
  uint64_t most = 0;  // of one replica: it takes about as much again while it is sorted
  for (const auto& [id, held] : held_) most = std::max(most, pending_of(held.replica->follower()));
  if (pending_bytes() + most > memory_.limit() / kPendingPerLimit) write_largest();
}

// The read comes after the write, and finds little that is pending beside it.
void ReplicaSet::write_before_reading(HeldReplica* held) {
  const bool much = held->replica->follower().pending_bytes() > kPendingBesideReads;
  if (much && writing_ < kWritesForMemory && !failing_ && may_write(*held)) write(held);
}

void ReplicaSet::write_what_is_due(int64_t now_us) {
  while (writing_ < kWritesAtOnce) {
    HeldReplica* first = nullptr;
    for (auto& [id, held] : held_) {
      if (held.next_write_us > now_us || !may_write(held)) continue;
      if (first == nullptr || held.next_write_us < first->next_write_us) first = &held;
    }
    if (first == nullptr) return;
    write(first);
  }
}

// Those that free most, whether they are due or not. A disk that has just failed is left alone.
void ReplicaSet::write_largest() {
  while (writing_ < kWritesForMemory && !failing_) {
    HeldReplica* largest = nullptr;
    uint64_t most = 0;
    for (auto& [id, held] : held_) {
      const uint64_t bytes = pending_of(held.replica->follower());
      if (bytes <= most || !may_write(held)) continue;
      largest = &held;
      most = bytes;
    }
    if (largest == nullptr) return;
    write(largest);
  }
}

uint64_t ReplicaSet::pending_bytes() const {
  uint64_t bytes = 0;
  for (const auto& [id, held] : held_) bytes += pending_of(held.replica->follower());
  return bytes;
}

uint64_t ReplicaSet::accounted_bytes() const {
  uint64_t bytes = pending_bytes() + readers_->bytes() / shards_;
  for (const auto& [id, held] : held_) {
    bytes += held.replica->window().stats().bytes + held.replica->follower().staged_bytes();
  }
  return bytes;
}

MemoryUse ReplicaSet::memory_use() const {
  MemoryUse use;
  use["changes"] = pending_bytes();
  use["open_files"] = readers_->bytes() / shards_;
  for (const auto& [id, held] : held_) {
    const WindowStats stats = held.replica->window().stats();
    use["keys"] += stats.key_bytes;
    use["rows"] += stats.bytes.of_chunks();
    use["summaries"] += stats.bytes - stats.bytes.of_chunks() - stats.key_bytes;
    use["staged"] += held.replica->follower().staged_bytes();
  }
  return use;
}

void ReplicaSet::prepare(HeldReplica* held, FramePart* part) {
  if (!memory_.bounded()) return;
  if (part->kind == PartKind::kImagesClose) bound_growth();
  part->own_payload(&held->changes);
}

void ReplicaSet::applied() {
  if (!memory_.bounded() || accounted_bytes() <= memory_.limit()) return;
  write_more();
  relieve();
}

// As long as there is room, a key comes into memory with its first rows. What is staged takes about
// as much again once it is in memory.
void ReplicaSet::bound_growth() {
  uint64_t staged = 0;
  for (const auto& [id, held] : held_) staged += held.replica->follower().staged_bytes();
  const bool room = static_cast<double>(accounted_bytes() + staged) <
                    kGrowthEnds * static_cast<double>(memory_.limit());
  for (auto& [id, held] : held_) {
    if (held.disk != nullptr || room) held.replica->allow_growth(room);
  }
}

// Makes room: a bounded number of keys is looked at. True if there is more to be done at once.
bool ReplicaSet::relieve() {
  if (!memory_.bounded() || held_.empty()) return false;
  bound_growth();
  const uint64_t accounted = accounted_bytes();
  if (accounted <= memory_.limit()) return false;
  const uint64_t over = accounted - memory_.limit() + memory_.limit() / 50;
  uint64_t freed = 0;
  size_t slots = kEvictSlots;
  for (size_t i = 0; i < held_.size() && freed < over && slots > 0; ++i) {
    auto it = held_.upper_bound(evicted_last_);
    if (it == held_.end()) it = held_.begin();
    evicted_last_ = it->first;
    // A part of one replica's keys at a time, so that all lose alike.
    const size_t most = std::min(slots, it->second.replica->window().slot_count() / 8 + 64);
    freed += it->second.replica->evict(over - freed, most).bytes;
    slots -= most;
  }
  if (freed >= over) return false;
  write_largest();
  return freed > 0 && slots == 0;
}

// And writing is going to help: with little that is not on disk yet, or a disk that does not work,
// waiting for it gains nothing.
bool ReplicaSet::short_of_memory() const {
  return memory_.bounded() && !failing_ && pending_bytes() > memory_.limit() / 8 &&
         accounted_bytes() > memory_.limit();
}

bool ReplicaSet::reads_fall_behind() {
  if (failing_) return false;
  const int64_t now_us = runtime_.monotonic_us();
  const auto slow = std::find_if(held_.begin(), held_.end(), [&](const auto& entry) {
    const HeldReplica& held = entry.second;
    if (held.reads.empty() || now_us - held.reads.front().since_us <= kLongReadUs) return false;
    const uint64_t come = held.replica->follower().come_bytes();
    return come - held.reads.front().from_bytes > kPendingBesideReads;
  });
  if (slow == held_.end()) return false;
  if (may_log("slow")) {
    log_event(LogLevel::kWarning, "store_reads_slowly",
              {{"job", std::to_string(slow->first.job.value)},
               {"key_partition", std::to_string(slow->first.key_partition.value)},
               {"ms", std::to_string((now_us - slow->second.reads.front().since_us) / 1'000)}});
  }
  return true;
}

bool ReplicaSet::wants_no_more() { return short_of_memory() || reads_fall_behind(); }

bool ReplicaSet::has_room(double share) const {
  return !memory_.bounded() ||
         static_cast<double>(accounted_bytes()) < share * static_cast<double>(memory_.limit());
}

void ReplicaSet::begin_warm_up() {
  if (warm_up_ || runtime_.monotonic_us() < next_warm_up_us_) return;
  if (!has_room(warm_up_full_ ? kWarmUpBegins / 2 : kWarmUpBegins)) return;
  auto it = held_.upper_bound(warmed_last_);
  for (size_t i = 0; i < held_.size(); ++i, ++it) {
    if (it == held_.end()) it = held_.begin();
    HeldReplica& held = it->second;
    if (held.disk == nullptr || held.replica->window().complete()) continue;
    if (held.replica->follower().writing()) continue;
    warm_up_full_ = false;
    warmed_last_ = held.id;
    if (held.replica->follower().on_disk() == Stamp{}) {
      held.replica->finish_loading();  // whatever is there counts no longer
      continue;
    }
    write_before_reading(&held);  // a page finds no more pending than comes while it is read
    warm_up_ = std::make_shared<WarmUp>();
    warm_up_->id = held.id;
    warm_up_->disk = held.disk;
    warm_up_->evicted_before = held.replica->evicted_keys();
    return next_page(&held);
  }
}

void ReplicaSet::next_page(HeldReplica* held) {
  read_on_disk(held, [this, warm_up = warm_up_](PartitionDisk& disk) -> Then {
    Result<bool> more = false;
    Stamp at;
    auto images = std::make_shared<ByteWriter>();
    if (!warm_up->scan) {
      auto scan = disk.scan(std::nullopt);
      if (scan.ok()) {
        warm_up->scan = std::move(*scan);
      } else {
        more = scan.error();
      }
    }
    if (warm_up->scan) {
      at = warm_up->scan->head().stamp();
      more = warm_up->scan->next(kPageBytes, images.get());
    }
    return [this, warm_up, at, more, images](HeldReplica* found) {
      if (warm_up == warm_up_ && found != nullptr) take_page(found, at, more, images->bytes());
    };
  });
}

void ReplicaSet::take_page(HeldReplica* held, const Stamp& at, const Result<bool>& more,
                           std::span<const uint8_t> images) {
  const Result<bool> loaded = more.ok() ? held->replica->load_page(at, images) : more;
  const bool fits = loaded.ok() && *loaded;
  if (!loaded) failed(held, "read", loaded.error());
  if (fits && !*more && held->replica->evicted_keys() == warm_up_->evicted_before) {
    held->replica->finish_loading();
  }
  if (fits && *more && has_room(kWarmUpEnds)) return next_page(held);
  warm_up_full_ = fits && *more;
  if (!fits) next_warm_up_us_ = runtime_.monotonic_us() + kWarmUpAgainUs;
  end_warm_up();
  begin_warm_up();
}

void ReplicaSet::end_warm_up() {
  const HeldReplica* held = find(warm_up_->id);
  run(*held, [warm_up = std::move(warm_up_)]() -> Then {
    warm_up->scan.reset();
    return {};
  });
  warm_up_.reset();
}

}  // namespace tidemill
