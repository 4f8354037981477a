#include "cli/training/row_gather.h"

#include <algorithm>
#include <numeric>

#include "shared/base/assert.h"
#include "shared/columns/row_block_writer.h"

namespace tidemill::training {
namespace {

constexpr size_t kFixedRowBytes = 28;  // time, key hash, event time, end of key

// Whatever the type: a block's column has values of one kind.
size_t append_value(const RowBlockColumn& from, uint32_t row, Column* to) {
  to->nulls.push_back(from.is_null(row) ? 1 : 0);
  if (from.string_ends != nullptr) {
    to->strings.push_back(from.string_at(row));
    return 4 + to->strings.back().size();
  }
  if (from.bool_bits != nullptr) {
    to->bools.push_back(from.bool_at(row) ? 1 : 0);
  } else if (from.doubles != nullptr) {
    to->doubles.push_back(from.doubles[row]);
  } else {
    to->ints.push_back(from.ints[row]);
  }
  return 8;
}

}  // namespace

TimedBlock::TimedBlock(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {
  ByteReader in(bytes_);
  ASSERT(in.get<uint64_t>() == bytes_.size());
  first_ = in.get<TimeUs>();
  last_ = in.get<TimeUs>();
  const auto rows = in.get<uint64_t>();
  const auto times = in.take(rows * sizeof(TimeUs));
  times_ = {reinterpret_cast<const TimeUs*>(times.data()), rows};
  auto view = RowBlockView::parse(in.take(in.remaining()));
  ASSERT(in.ok() && view.ok() && view->rows() == rows);
  view_ = std::move(view).value();
}

uint64_t TimedBlock::size_of(std::span<const uint8_t> head) {
  return ByteReader(head).get<uint64_t>();
}

bool TimedBlock::sorted() const { return std::is_sorted(times_.begin(), times_.end()); }

void begin_timed_block(std::span<const TimeUs> times, ByteWriter* out) {
  ASSERT(out->size() == 0 && !times.empty());
  const auto [first, last] = std::minmax_element(times.begin(), times.end());
  out->put(uint64_t{0});  // patched in the end
  out->put(*first);
  out->put(*last);
  out->put(static_cast<uint64_t>(times.size()));
  out->put_bytes({reinterpret_cast<const uint8_t*>(times.data()), times.size_bytes()});
}

std::vector<uint8_t> finish_timed_block(ByteWriter* out) {
  out->align(8);
  out->patch(0, static_cast<uint64_t>(out->size()));
  return out->take();
}

void RowGather::begin(const RowBlockView& block) {
  table_ = block.table();
  columns_.resize(block.columns().size());
  for (size_t i = 0; i < columns_.size(); ++i) columns_[i].type = block.columns()[i].type;
  filters_.resize(block.filter_count());
  for (Column& filter : filters_) filter.type = ColumnType::kBool;
}

void RowGather::add(const RowBlockView& block, uint32_t row, TimeUs time) {
  if (times_.empty()) begin(block);
  ASSERT(block.table() == table_ && block.columns().size() == columns_.size());
  times_.push_back(time);
  event_times_.push_back(block.event_times()[row]);
  hashes_.push_back(block.key_hashes()[row]);
  keys_.push_back(block.key(row));
  bytes_ += kFixedRowBytes + keys_.back().size();
  for (size_t i = 0; i < columns_.size(); ++i) {
    bytes_ += append_value(block.columns()[i], row, &columns_[i]);
  }
  for (size_t i = 0; i < filters_.size(); ++i) {
    filters_[i].nulls.push_back(0);
    filters_[i].bools.push_back(block.passes(i, row) ? 1 : 0);
  }
}

void RowGather::write(ByteWriter* out) const {
  std::vector<uint32_t> rows(times_.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<const Column*> columns;
  for (const Column& column : columns_) columns.push_back(&column);
  std::vector<const Column*> filters;
  for (const Column& filter : filters_) filters.push_back(&filter);
  write_row_block(table_, {rows, hashes_, event_times_, keys_, columns, filters}, out);
}

void RowGather::clear() {
  times_.clear();
  event_times_.clear();
  hashes_.clear();
  keys_.clear();
  for (Column& column : columns_) column.clear();
  for (Column& filter : filters_) filter.clear();
  bytes_ = 0;
}

std::vector<uint8_t> RowGather::take() {
  ByteWriter out;
  begin_timed_block(times_, &out);
  write(&out);
  clear();
  return finish_timed_block(&out);
}

std::vector<uint8_t> RowGather::take_rows() {
  ByteWriter out;
  write(&out);
  clear();
  return out.take();
}

}  // namespace tidemill::training
