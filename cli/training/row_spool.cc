#include "cli/training/row_spool.h"

#include <algorithm>
#include <array>

#include "shared/base/assert.h"

namespace tidemill::training {
namespace {

// Of a block that is gathered anew: what a merge holds per run, and reads at once.
constexpr size_t kBlockBytes = 64 << 10;

bool in_order(const std::vector<TimedBlock>& blocks) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i > 0 && blocks[i].first() < blocks[i - 1].last()) return false;
    if (!blocks[i].sorted()) return false;
  }
  return true;
}

}  // namespace

void sort_blocks(std::vector<TimedBlock>* blocks) {
  if (in_order(*blocks)) return;
  struct Place {
    TimeUs time;
    uint32_t block;
    uint32_t row;
  };
  std::vector<Place> places;
  for (uint32_t b = 0; b < blocks->size(); ++b) {
    const auto times = (*blocks)[b].times();
    for (uint32_t r = 0; r < times.size(); ++r) places.push_back({times[r], b, r});
  }
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.time < b.time; });
  std::vector<TimedBlock> out;
  RowGather gather;
  for (const Place& place : places) {
    gather.add((*blocks)[place.block].rows(), place.row, place.time);
    if (gather.bytes() >= kBlockBytes) out.emplace_back(gather.take());
  }
  if (gather.rows() > 0) out.emplace_back(gather.take());
  *blocks = std::move(out);
}

Status RunCursor::advance() {
  if (file_ == nullptr) {
    block_.reset();
    if (next_ < blocks_.size()) block_.emplace(std::move(blocks_[next_++]));
    return {};
  }
  block_.reset();
  if (at_ == end_) return {};
  std::array<uint8_t, TimedBlock::kHeadBytes> head;
  if (Status read = file_->read(at_, head); !read) return read;
  std::vector<uint8_t> bytes(TimedBlock::size_of(head));
  ASSERT(bytes.size() >= head.size() && at_ + bytes.size() <= end_);
  std::copy(head.begin(), head.end(), bytes.begin());
  if (Status read = file_->read(at_ + head.size(), std::span(bytes).subspan(head.size())); !read) {
    return read;
  }
  at_ += bytes.size();
  block_.emplace(std::move(bytes));
  return {};
}

Status RunMerge::start() {
  for (size_t run = 0; run < runs_.size(); ++run) {
    if (Status status = runs_[run].advance(); !status) return status;
    if (runs_[run].block() != nullptr) heads_.push({runs_[run].block()->first(), run, 0});
  }
  return {};
}

Status RunMerge::step() {
  if (!given_) return {};
  Head head = *given_;
  given_.reset();
  RunCursor& run = runs_[head.run];
  ++head.row;
  if (!by_rows_ || head.row == run.block()->times().size()) {
    if (Status status = run.advance(); !status) return status;
    head.row = 0;
  }
  if (run.block() == nullptr) return {};
  head.time = run.block()->times()[head.row];
  heads_.push(head);
  return {};
}

Result<const TimedBlock*> RunMerge::next_block(TimeUs until) {
  if (Status status = step(); !status) return status.error();
  if (heads_.empty() || heads_.top().time > until) return nullptr;
  given_ = heads_.top();
  heads_.pop();
  return runs_[given_->run].block();
}

Result<RunMerge::Row> RunMerge::next_row(TimeUs until) {
  by_rows_ = true;
  if (Status status = step(); !status) return status.error();
  if (heads_.empty() || heads_.top().time > until) return Row{};
  given_ = heads_.top();
  heads_.pop();
  return Row{runs_[given_->run].block(), given_->row};
}

Status RowSpool::add(size_t stream, TimedBlock block) {
  const std::lock_guard lock(mutex_);
  held_ += block.bytes().capacity();
  streams_[stream].blocks.push_back(std::move(block));
  return held_ > budget_ ? spill() : Status{};
}

Status RowSpool::spill() {
  if (!file_) {
    auto file = SpillFile::open(directory_);
    if (!file) return file.error();
    file_ = std::move(file).value();
  }
  std::vector<uint8_t> buffer;
  for (Stream& stream : streams_) {
    if (Status status = spill_stream(&stream, &buffer); !status) return status;
  }
  held_ = 0;
  return {};
}

Status RowSpool::spill_stream(Stream* stream, std::vector<uint8_t>* buffer) {
  if (stream->blocks.empty()) return {};
  sort_blocks(&stream->blocks);
  buffer->clear();
  for (const TimedBlock& block : stream->blocks) {
    buffer->insert(buffer->end(), block.bytes().begin(), block.bytes().end());
  }
  const auto begin = file_->append(*buffer);
  if (!begin) return begin.error();
  stream->runs.push_back({*begin, *begin + buffer->size()});
  std::vector<TimedBlock>().swap(stream->blocks);  // and its memory
  return {};
}

Result<std::unique_ptr<RunMerge>> RowSpool::open(size_t stream) {
  Stream from;
  {
    const std::lock_guard lock(mutex_);
    std::swap(from, streams_[stream]);
  }
  std::vector<RunCursor> runs;
  for (const Region& run : from.runs) runs.emplace_back(file_.get(), run.begin, run.end);
  sort_blocks(&from.blocks);
  if (!from.blocks.empty()) runs.emplace_back(std::move(from.blocks));
  auto merge = std::make_unique<RunMerge>(std::move(runs));
  if (Status started = merge->start(); !started) return started.error();
  return merge;
}

}  // namespace tidemill::training
