// A story of one replica, whose keys come and go between memory and disk, told at random: it must
// say what a state does that keeps everything.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "serving/replica.h"
#include "shared/base/hash.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill::test {

inline constexpr int kStoryKeys = 12;
inline constexpr const char* kStoryJob = R"(
job: replicas
key_partitions: 1
allowed_lateness: 1h
sources:
  transactions:
    max_out_of_orderness: 10s
    stream:
      generator: {partitions: 1, events: 10, seed: 1, customers: 5, terminals: 5, events_per_second: 1}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h]}
      - {function: sum, column: amount, windows: [1h]}
)";
inline const std::string kStoryLifetime =
    "      - {function: sum, column: amount, windows: [lifetime]}\n";

class ReplicaStory {
 public:
  explicit ReplicaStory(bool lifetime)
      : plan_(plan_of(kStoryJob + (lifetime ? kStoryLifetime : ""))), disk_(Disk::in_memory()) {
    start();
  }

  // The owner's session begins, and a first replacement with it.
  void start() {
    open_disk_ = open();
    replica_ = std::make_unique<Replica>(plan_->tables(), KeyPartitionId(0));
    scan_.reset();
    asked_.clear();
    increment_.reset();
    if (open_disk_->manifest() != nullptr) {
      replica_->restore(from_proto(open_disk_->manifest()->head()));
    }
    version_ = replica_->follower().head().stamp().version;
    parts_.resize(std::min(parts_.size(), parts_of(version_)));
    replica_->follower().register_owner({KeyPartitionId(0), Epoch(1), ++session_});
    seq_ = 0;
    if (replica_->follower().holds_state()) {
      send(next_part(PartKind::kRows, version_, version_));  // how far the horizon is
    } else {
      replace_all();
    }
  }
  // As a crash: what was not written is gone.
  void restart() {
    replica_.reset();
    scan_.reset();
    open_disk_.reset();
    start();
  }

  void rows() {
    std::vector<TestRow> rows;
    const int count = *rc::gen::inRange(1, 6);
    for (int i = 0; i < count; ++i) rows.push_back(any_row());
    FramePart part = next_part(PartKind::kRows, version_, version_ + 1);
    part.payload.push_back(block_of(rows));
    part.horizon = horizon_;
    send(std::move(part));
  }
  void raise_horizon() {
    horizon_ = std::max(horizon_, kStart) + *rc::gen::inRange<int64_t>(0, kHour);
    send(next_part(PartKind::kRows, version_, version_));
  }
  void replace_some() {
    send(next_part(PartKind::kImagesBegin, version_, 0));
    FramePart close = next_part(PartKind::kImagesClose, 0, version_ + 1);
    close.payload.push_back(some_images());
    send(std::move(close));
  }
  void replace_all() {
    FramePart begin = next_part(PartKind::kImagesBegin, 0, 0);
    begin.whole = true;
    send(std::move(begin));
    FramePart close = next_part(PartKind::kImagesClose, 0, version_ + 1);
    close.payload.push_back(some_images());
    close.current = true;
    send(std::move(close));
  }

  void begin_increment() {
    Follower& follower = replica_->follower();
    if (follower.writing() || !follower.changed()) return;
    increment_ = follower.begin_increment(1);
    written_ = false;
  }
  void write() {
    if (!increment_ || written_) return;
    const Status status = open_disk_->write(*increment_);
    RC_ASSERT(status.ok());
    written_ = true;
  }
  void end_increment(bool success) {
    if (!increment_ || written_ != success) return;
    // What has been asked of the disk comes back in the order in which it was asked.
    while (!asked_.empty()) answer();
    replica_->follower().end_increment(success);
    increment_.reset();
  }
  void evict() { replica_->evict(*rc::gen::inRange<uint64_t>(1, 3'000), 8); }

  void ask() {
    if (written_in_flight()) return;
    Asked asked;
    for (int i = 0; i < 3; ++i) asked.keys.push_back(state_key(any_key()));
    asked.at = from_proto(open_disk_->manifest() == nullptr ? proto::StateHead()
                                                            : open_disk_->manifest()->head())
                   .stamp();
    auto images = open_disk_->get(asked.keys);
    RC_ASSERT(images.ok());
    asked.images = std::move(*images);
    asked_.push_back(std::move(asked));
  }
  void answer() {
    if (asked_.empty()) return;
    const Asked asked = std::move(asked_.front());
    asked_.erase(asked_.begin());
    if (!written_in_flight()) check_loaded(asked);
  }
  void scan_page() {
    if (written_in_flight() || (increment_ && !scan_)) return;
    if (!scan_) {
      auto scan = open_disk_->scan(std::nullopt);
      RC_ASSERT(scan.ok());
      scan_ = std::move(*scan);
      evicted_ = replica_->evicted_keys();
    }
    ByteWriter images;
    const auto more = scan_->next(200, &images);
    RC_ASSERT(more.ok());
    const auto loaded = replica_->load_page(scan_->head().stamp(), images.bytes());
    RC_ASSERT(loaded.ok());
    if (*loaded && *more) return;
    if (*loaded && replica_->evicted_keys() == evicted_) {
      replica_->finish_loading();
      RC_ASSERT(replica_->window().complete());
    }
    scan_.reset();
  }

  void check() {
    for (int k = 0; k < kStoryKeys; ++k) check_key(std::to_string(k));
  }
  // Every key is brought back if need be.
  void check_all() {
    while (!asked_.empty()) answer();
    if (written_in_flight()) end_increment(true);
    for (int k = 0; k < kStoryKeys; ++k) {
      Asked asked;
      asked.keys.push_back(state_key(std::to_string(k)));
      asked.at = replica_->follower().on_disk();
      if (find(std::to_string(k)) == PartitionState::Found::kMaybeOnDisk) {
        auto images = open_disk_->get(asked.keys);
        RC_ASSERT(images.ok());
        asked.images = std::move(*images);
        check_loaded(asked);
      }
      check_key(std::to_string(k));
    }
  }

 private:
  struct Asked {
    std::vector<StateKey> keys;
    Stamp at;
    std::vector<std::vector<uint8_t>> images;
  };

  std::unique_ptr<PartitionDisk> open() {
    PartitionDiskConfig config;
    config.disk = disk_;
    config.directory = "/data/replica";
    config.job = JobId(1);
    config.schemas = plan_->tables();
    config.max_increments = 4;
    auto opened = PartitionDisk::open(config);
    RC_ASSERT(opened.ok());
    return std::move(*opened);
  }
  bool written_in_flight() const { return increment_ && written_; }
  static std::string any_key() { return std::to_string(*rc::gen::inRange(0, kStoryKeys)); }
  static TestRow any_row() {
    return {any_key(), kStart + *rc::gen::inRange<int64_t>(-kHour, 2 * kHour),
            static_cast<double>(*rc::gen::inRange(1, 1'000))};
  }
  // Of some keys, sometimes without rows.
  Buffer some_images() const {
    PartitionState state(plan_->tables());
    std::vector<TestRow> rows;
    const int count = *rc::gen::inRange(0, 8);
    for (int i = 0; i < count; ++i) rows.push_back(any_row());
    ByteWriter out;
    if (!rows.empty()) {
      const Buffer block = block_of(rows);
      state.append(*RowBlockView::parse(block.bytes()), 1);
      if (*rc::gen::inRange(0, 3) == 0) state.raise_horizon(kStart + 24 * kHour);
      for (size_t slot = 0; slot < state.slot_count(); ++slot) {
        if (state.slot_changed_since(slot, 0)) state.encode_image(slot, &out);
      }
    }
    return Buffer(out.take());
  }
  FramePart next_part(PartKind kind, uint64_t from, uint64_t to) {
    FramePart p;
    p.epoch = p.from_epoch = Epoch(1);
    p.session = session_;
    p.seq = seq_++;
    p.kind = kind;
    p.from_version = from;
    p.to_version = to;
    p.horizon = horizon_;
    return p;
  }
  void send(FramePart part) {
    RC_ASSERT(replica_->follower().apply(part) == Follower::Outcome::kApplied);
    version_ = replica_->follower().head().stamp().version;
    parts_.push_back(std::move(part));
  }
  // How many of the parts had been applied at a version. A horizon raised since then is raised
  // again by the next part.
  size_t parts_of(uint64_t version) const {
    size_t count = 0;
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i].kind != PartKind::kImagesBegin && parts_[i].to_version <= version)
        count = i + 1;
    }
    return count;
  }
  // A state that keeps everything.
  PartitionState plain() const {
    PartitionState out(plan_->tables());
    TimeUs horizon = kMinTime;
    bool whole = false;
    for (const FramePart& part : parts_) {
      if (part.kind == PartKind::kImagesBegin) whole = part.whole;
      if (part.kind == PartKind::kImagesClose && whole) out = PartitionState(plan_->tables());
      out.raise_horizon(horizon);
      for (const Buffer& bytes : part.payload) {
        if (part.kind == PartKind::kRows) {
          out.append(*RowBlockView::parse(bytes.bytes()), 1);
        } else {
          ByteReader in(bytes.bytes());
          while (in.remaining() > 0) RC_ASSERT(out.apply_image(&in, 1).ok());
        }
      }
      horizon = std::max(horizon, part.horizon);
      out.raise_horizon(horizon);
    }
    return out;
  }
  StateKey state_key(const std::string& key) const {
    return {0, hash_entity_key(key, (*plan_->tables())[0].entity_seed), key};
  }
  PartitionState::Found find(const std::string& key) const {
    return replica_->window().find(0, key, state_key(key).hash);
  }
  std::vector<FeatureValue> read(const PartitionState& state, const std::string& key) const {
    std::vector<const FeatureSpec*> specs;
    for (const FeatureSpec& spec : plan_->views().front().features) specs.push_back(&spec);
    std::vector<FeatureValue> out;
    const bool found =
        state.compute(0, key, state_key(key).hash, specs, std::max(kStart + kHour, horizon_), &out);
    out.push_back(found);
    return out;
  }
  void check_key(const std::string& key) {
    if (find(key) == PartitionState::Found::kMaybeOnDisk) return;
    RC_ASSERT(read(replica_->window(), key) == read(plain(), key));
  }
  void check_loaded(const Asked& asked) {
    const auto loaded = replica_->load(asked.at, asked.keys, asked.images);
    RC_ASSERT(loaded.ok());
    if (!*loaded) return;  // the disk has moved on: to be asked again
    const PartitionState all = plain();
    for (const StateKey& key : asked.keys) {  // in memory or nowhere
      RC_ASSERT(read(replica_->window(), key.key) == read(all, key.key));
    }
  }

  std::shared_ptr<const Plan> plan_;
  std::shared_ptr<Disk> disk_;
  std::unique_ptr<PartitionDisk> open_disk_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<StateScan> scan_;
  uint64_t evicted_ = 0;
  std::optional<Increment> increment_;
  bool written_ = false;
  std::vector<Asked> asked_;
  std::vector<FramePart> parts_;  // applied
  uint64_t version_ = 0;
  uint64_t session_ = 0;
  uint64_t seq_ = 0;
  TimeUs horizon_ = kMinTime;
};

inline void tell_replica_story(bool lifetime) {
  ReplicaStory story(lifetime);
  for (int step = 0; step < 60; ++step) {
    switch (*rc::gen::weightedElement<int>({{12, 0},
                                            {1, 1},
                                            {2, 2},
                                            {1, 3},
                                            {6, 4},
                                            {6, 5},
                                            {6, 6},
                                            {1, 7},
                                            {8, 8},
                                            {6, 9},
                                            {6, 10},
                                            {6, 11},
                                            {1, 12}})) {
      case 0:
        story.rows();
        break;
      case 1:
        story.raise_horizon();
        break;
      case 2:
        story.replace_some();
        break;
      case 3:
        story.replace_all();
        break;
      case 4:
        story.begin_increment();
        break;
      case 5:
        story.write();
        break;
      case 6:
        story.end_increment(true);
        break;
      case 7:
        story.end_increment(false);
        break;
      case 8:
        story.evict();
        break;
      case 9:
        story.ask();
        break;
      case 10:
        story.answer();
        break;
      case 11:
        story.scan_page();
        break;
      default:
        story.restart();
    }
    story.check();
  }
  story.check_all();
}

}  // namespace tidemill::test
