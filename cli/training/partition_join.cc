#include "cli/training/partition_join.h"

#include <algorithm>

#include "cli/training/spine_reader.h"

namespace tidemill::training {
namespace {

constexpr size_t kRowsPerSweep = 32;  // rows are freed as fast as they come, and faster
constexpr size_t kRowsPerProgress = 512;
constexpr size_t kRowsPerBlock = 1024;

}  // namespace

PartitionJoin::PartitionJoin(const FeatureChoice* choice, size_t table, bool by_arrival,
                             const RowSink* sink, ResultSpool* results)
    : choice_(choice),
      table_(&choice->tables[table]),
      by_arrival_(by_arrival),
      sink_(sink),
      results_(results),
      state_(choice->plan->tables()),
      nothing_(choice->plan->tables()) {
  for (size_t g = 0; g < choice->groups.size(); ++g) {
    if (choice->groups[g].table == table_->table) groups_.push_back(g);
  }
}

Status PartitionJoin::run(RunMerge* history, RunMerge* spine,
                          const std::function<void(uint64_t)>& progress) {
  uint64_t answered = 0;
  for (;;) {
    const auto row = spine->next_row(kMaxTime);
    if (!row) return row.error();
    if (row->block == nullptr) break;
    now_ = row->time();
    const Status moved = by_arrival_ ? advance_by_arrival(history, now_) : advance(history, now_);
    if (!moved) return moved;
    if (Status status = answer(*row); !status) return status;
    if (++answered % kRowsPerProgress == 0) progress(kRowsPerProgress);
  }
  progress(answered % kRowsPerProgress);
  return results_.flush();
}

// Rows of a block may be later than `until`: windows do not reach them, and the state takes them in
// at once instead of one by one.
Status PartitionJoin::advance(RunMerge* history, TimeUs until) {
  for (;;) {
    const auto block = history->next_block(until);
    if (!block) return block.error();
    if (*block == nullptr) return {};
    append((*block)->rows());
  }
}

Status PartitionJoin::advance_by_arrival(RunMerge* history, TimeUs until) {
  const auto flush = [this] {
    if (gather_.rows() == 0) return;
    const std::vector<uint8_t> bytes = gather_.take_rows();
    const auto view = RowBlockView::parse(bytes);
    ASSERT(view.ok());
    append(*view);
  };
  RunMerge::Row row;
  do {
    const auto next = history->next_row(until);
    if (!next) return next.error();
    row = *next;
    if (row.block != nullptr) gather_.add(row.block->rows(), row.row, row.time());
    if (row.block == nullptr || row.row + 1 == row.block->times().size()) flush();
  } while (row.block != nullptr);
  return {};
}

void PartitionJoin::append(const RowBlockView& rows) {
  state_.append(rows, 1);
  for (size_t i = 0; i < rows.rows(); i += kRowsPerSweep) state_.raise_horizon(now_);
}

Status PartitionJoin::answer(const RunMerge::Row& row) {
  const RowBlockView& rows = row.block->rows();
  const bool has_key = rows.passes(kHasKeyFilter, row.row);
  const PartitionState& state = has_key ? state_ : nothing_;
  const auto number = static_cast<uint64_t>(rows.columns()[0].ints[row.row]);
  state.compute(table_->table, rows.key(row.row), rows.key_hashes()[row.row], table_->features,
                now_, &values_, &resolutions_);
  approximate_ += static_cast<uint64_t>(
      std::count_if(resolutions_.begin(), resolutions_.end(), [](DurationUs r) { return r != 0; }));
  for (const size_t g : groups_) {
    const ColumnGroup& group = choice_->groups[g];
    encoded_.clear();
    const size_t columns = group.end - group.begin;
    sink_->encode(std::span(table_->features).subspan(group.begin, columns),
                  std::span(values_).subspan(group.begin, columns), &encoded_);
    const Status added = results_.add(number, static_cast<uint32_t>(g), encoded_);
    if (!added) return added;
  }
  return {};
}

}  // namespace tidemill::training
