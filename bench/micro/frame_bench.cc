// What frames of rows cost that owners send to stores: encoding them, and applying them to copies
// in memory. Items are rows, two for each card transaction under the job of bench/run.
#include <deque>

#include "bench/micro/harness.h"
#include "bench/micro/inputs.h"
#include "serving/replica.h"
#include "shared/load/batch_loader.h"
#include "shared/wire/frames.h"

namespace tidemill::micro {
namespace {

// A frame for each batch of transactions, with a part of every key partition.
class Owner {
 public:
  Owner(uint64_t frames, uint64_t events) {
    const TransactionFile file(proto::FilesInput::NDJSON, frames * events);
    plan_ = card_job(file);
    const auto loader = check(BatchLoader::open(plan_, 0, {}));
    const LoadClock clock{kStart, [] { return int64_t{0}; }};
    LoadedBatch batch;
    for (uint64_t i = 0; i < frames; ++i) {
      check(loader->load(clock, {events, size_t{1} << 30}, nullptr, &batch));
      ASSERT(batch.records == events);
      add_frame(batch);
    }
  }

  const std::shared_ptr<const Plan>& plan() const { return plan_; }
  const std::vector<Frames>& frames() const { return frames_; }
  uint64_t rows() const { return rows_; }
  uint32_t key_partitions() const { return plan_->key_partitions(); }

  // A copy of a key partition that has begun with nothing, in the session of these frames.
  void begin(Replica* replica) const {
    Follower& follower = replica->follower();
    follower.register_owner({KeyPartitionId(0), Epoch(1), 1});
    FramePart part;
    part.epoch = Epoch(1);
    part.session = 1;
    part.kind = PartKind::kImagesBegin;
    part.whole = true;
    ASSERT(follower.apply(part) == Follower::Outcome::kApplied);
    part.seq = 1;
    part.kind = PartKind::kImagesClose;
    part.to_version = kFirstVersion;
    ASSERT(follower.apply(part) == Follower::Outcome::kApplied);
  }

 private:
  static constexpr uint64_t kFirstVersion = 1;

  void add_frame(const LoadedBatch& batch) {
    const uint64_t number = frames_.size();
    Frames& frame = frames_.emplace_back();
    frame.job = JobId(1);
    frame.link_seq = number;
    for (uint32_t k = 0; k < plan_->key_partitions(); ++k) {
      FramePart& part = frame.parts.emplace_back();
      part.key_partition = KeyPartitionId(k);
      part.epoch = part.from_epoch = Epoch(1);
      part.session = 1;
      part.seq = number + 2;
      part.kind = PartKind::kRows;
      part.from_version = kFirstVersion + number;
      part.to_version = part.from_version + 1;
      part.horizon = kStart;
      part.advances = {{SourcePartitionId(0), batch.end}};
      ByteWriter rows;
      rows_ += batch.write_blocks(k, 0, &rows);
      part.payload.emplace_back(rows.take());
    }
  }

  std::shared_ptr<const Plan> plan_;
  std::vector<Frames> frames_;
  uint64_t rows_ = 0;
};

// range(0) frames of range(1) events.
void frame_encode(benchmark::State& state) {
  const Owner owner(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
  measure(state, owner.rows(), [&] {
    for (const Frames& frame : owner.frames()) benchmark::DoNotOptimize(frame.encode().size());
  });
}
BENCHMARK(frame_encode)->Args({2, 4'096})->Args({4, 65'536})->Unit(benchmark::kMillisecond);

void frame_apply(benchmark::State& state) {
  const Owner owner(static_cast<uint64_t>(state.range(0)), static_cast<uint64_t>(state.range(1)));
  std::vector<Buffer> messages;
  for (const Frames& frame : owner.frames()) messages.push_back(frame.encode());
  std::deque<Replica> replicas;
  measure(
      state, owner.rows(),
      [&] {
        for (const Buffer& message : messages) {
          const Frames frame = check(Frames::decode(message));
          for (const FramePart& part : frame.parts) {
            Follower& follower = replicas[part.key_partition.value].follower();
            ASSERT(follower.apply(part) == Follower::Outcome::kApplied);
          }
        }
      },
      [&] {
        replicas.clear();
        for (uint32_t k = 0; k < owner.key_partitions(); ++k) {
          owner.begin(&replicas.emplace_back(owner.plan()->tables(), KeyPartitionId(k)));
        }
      });
}
BENCHMARK(frame_apply)->Args({2, 4'096})->Args({16, 65'536})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidemill::micro
