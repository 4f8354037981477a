#include "shared/window/row_stream.h"

#include <algorithm>
#include <bit>

#include "shared/base/assert.h"

namespace tidemill {

void RowStream::begin(const ChunkLayout* layout, const CollectionSpec* spec, TimeRange range) {
  layout_ = layout;
  spec_ = spec;
  range_ = range;
  backward_ = spec->latest_first();
  list_count_ = 0;
  groups_ = {};
  cached_ = {};
  chunks_ = {};
  mask_ = 0;
  group_rows_ = nullptr;
}

void RowStream::add_list(std::span<const RowRef> rows) {
  ASSERT(list_count_ < kLists);
  lists_[list_count_] = rows;
  settle(&lists_[list_count_++]);
}

void RowStream::add_groups(std::span<const std::unique_ptr<ChunkGroup>> groups,
                           const CountedRows* counted, GroupRows group_rows) {
  const auto from = std::lower_bound(groups.begin(), groups.end(), range_.first,
                                     [](const auto& g, TimeUs t) { return g->last() < t; });
  const auto to = std::upper_bound(from, groups.end(), range_.last,
                                   [](TimeUs t, const auto& g) { return t < g->first(); });
  groups_ = {from, to};
  counted_ = counted;
  group_rows_ = std::move(group_rows);
}

bool RowStream::wants(const RowRef& row) const {
  return range_.holds(row.time()) &&
         (input_rows(*layout_, *row.chunk, spec_->column, spec_->filter) >> row.row & 1) != 0;
}

// Drops rows that are not wanted from the end that is next.
void RowStream::settle(List* list) const {
  while (!list->empty() && !wants(head_of(*list))) drop_head(list);
}

bool RowStream::next_group() {
  if (groups_.empty()) return false;
  const ChunkGroup& group = backward_ ? *groups_.back() : *groups_.front();
  groups_ = backward_ ? groups_.first(groups_.size() - 1) : groups_.subspan(1);
  enter(group);
  return true;
}

void RowStream::enter(const ChunkGroup& group) {
  if (group_rows_ && range_.first <= group.first() && group.last() <= range_.last) {
    if (const std::vector<RowRef>* rows = group_rows_(group)) {
      cached_ = *rows;
      return;
    }
  }
  const auto& chunks = group.chunks;
  const auto from = std::lower_bound(chunks.begin(), chunks.end(), range_.first,
                                     [](const SealedChunk& c, TimeUs t) { return c.last < t; });
  const auto to = std::upper_bound(from, chunks.end(), range_.last,
                                   [](TimeUs t, const SealedChunk& c) { return t < c.first; });
  chunks_ = {from, to};
}

bool RowStream::next_chunk() {
  if (chunks_.empty()) return false;
  const SealedChunk& sealed = backward_ ? chunks_.back() : chunks_.front();
  chunks_ = backward_ ? chunks_.first(chunks_.size() - 1) : chunks_.subspan(1);
  chunk_ = sealed.chunk;
  mask_ = input_rows(*layout_, *chunk_, spec_->column, spec_->filter) & counted_->of(sealed);
  if (mask_ != 0 && (sealed.first < range_.first || range_.last < sealed.last)) {
    mask_ &= ChunkLayout::time_mask(*chunk_, range_.first, range_.last);
  }
  return true;
}

// The next row of the sealed chunks; null if there is none.
const RowRef* RowStream::sealed_head() {
  while (cached_.empty() && mask_ == 0) {
    if (!next_chunk() && !next_group()) return nullptr;
  }
  if (!cached_.empty()) return &cached_.front();
  const int row = backward_ ? 63 - std::countl_zero(mask_) : std::countr_zero(mask_);
  head_ = {chunk_, static_cast<uint32_t>(row)};
  return &head_;
}

void RowStream::drop_sealed_head() {
  if (!cached_.empty()) {
    cached_ = cached_.subspan(1);
  } else {
    mask_ &= ~(uint64_t{1} << head_.row);
  }
}

bool RowStream::next_run(std::vector<RowRef>* run) {
  run->clear();
  const RowRef* sealed = sealed_head();
  bool any = sealed != nullptr;
  TimeUs time = any ? sealed->time() : 0;
  const std::span<List> lists{lists_, list_count_};
  for (const List& list : lists) {
    if (list.empty()) continue;
    if (!any || before(head_of(list).time(), time)) time = head_of(list).time();
    any = true;
  }
  if (!any) return false;
  for (; sealed != nullptr && sealed->time() == time; sealed = sealed_head()) {
    run->push_back(*sealed);
    drop_sealed_head();
  }
  for (List& list : lists) {
    for (; !list.empty() && head_of(list).time() == time; settle(&list)) {
      run->push_back(head_of(list));
      drop_head(&list);
    }
  }
  if (run->size() > 1) sort_run(run);
  return true;
}

void RowStream::sort_run(std::vector<RowRef>* run) const {
  const auto before = [&](const RowRef& a, const RowRef& b) {
    const int order = compare_in_order(*layout_, a, b, spec_->order);
    return backward_ ? order > 0 : order < 0;
  };
  if (spec_->distinct() || run->size() <= spec_->n) {
    std::sort(run->begin(), run->end(), before);
    return;
  }
  // Whoever takes n rows takes no more than that of one time.
  std::partial_sort(run->begin(), run->begin() + spec_->n, run->end(), before);
  run->resize(spec_->n);
}

void take_rows(RowStream* stream, const CollectionSpec& spec, ValueSet* seen,
               std::vector<RowRef>* run, std::vector<RowRef>* out) {
  out->clear();
  while (out->size() < spec.n && stream->next_run(run)) {
    for (const RowRef& row : *run) {
      if (spec.distinct() && !seen->insert(row)) continue;
      out->push_back(row);
      if (out->size() == spec.n) return;
    }
  }
}

}  // namespace tidemill
