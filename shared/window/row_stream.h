// RowStream: the rows of one key that a list function may need, in the function's order: by event
// time, rows of one time by the view's order. Made from lists that are sorted by time and from the
// sealed chunks, of which it looks no further than it is asked to. Reused; shard-affine.
#pragma once

#include <functional>
#include <vector>

#include "shared/window/collection.h"
#include "shared/window/counted_rows.h"
#include "shared/window/row_log.h"

namespace tidemill {

struct TimeRange {
  TimeUs first = kMinTime;  // both inclusive
  TimeUs last = kMaxTime;

  bool holds(TimeUs time) const { return first <= time && time <= last; }
};

// What a group of sealed chunks as a whole contributes to a list, in the order of the list; null:
// its rows, one by one.
using GroupRows = std::function<const std::vector<RowRef>*(const ChunkGroup&)>;

class RowStream {
 public:
  // Rows that pass the filter and are not null in the column.
  void begin(const ChunkLayout* layout, const CollectionSpec* spec, TimeRange range);
  // `rows` count, rise by time, and stay until the last next_run(). At most kLists of them.
  void add_list(std::span<const RowRef> rows);
  // Their rows that count. `group_rows` is asked for groups that lie in the range as a whole; may
  // be empty.
  void add_groups(std::span<const std::unique_ptr<ChunkGroup>> groups, const CountedRows* counted,
                  GroupRows group_rows);

  void add_group(const ChunkGroup& group, const CountedRows* counted) {
    counted_ = counted;
    enter(group);
  }

  // The rows of the next event time, in order. False after the last.
  bool next_run(std::vector<RowRef>* run);

 private:
  static constexpr size_t kLists = 3;

  using List = std::span<const RowRef>;  // rows that are left

  const RowRef& head_of(const List& list) const { return backward_ ? list.back() : list.front(); }
  void drop_head(List* list) const {
    *list = backward_ ? list->first(list->size() - 1) : list->subspan(1);
  }
  bool wants(const RowRef& row) const;
  void settle(List* list) const;
  const RowRef* sealed_head();
  bool next_chunk();
  bool next_group();
  void enter(const ChunkGroup& group);
  void sort_run(std::vector<RowRef>* run) const;
  void drop_sealed_head();
  bool before(TimeUs a, TimeUs b) const { return backward_ ? a > b : a < b; }

  const ChunkLayout* layout_ = nullptr;
  const CollectionSpec* spec_ = nullptr;
  TimeRange range_;
  bool backward_ = false;

  List lists_[kLists];
  size_t list_count_ = 0;

  const CountedRows* counted_ = nullptr;
  std::span<const std::unique_ptr<ChunkGroup>> groups_;  // those that are left
  GroupRows group_rows_;
  std::span<const RowRef> cached_;       // left of a group that is taken as a whole
  std::span<const SealedChunk> chunks_;  // left of another group
  const Chunk* chunk_ = nullptr;
  uint64_t mask_ = 0;  // rows left of chunk_
  RowRef head_{};
};

// The first n rows of a stream that was begun with `spec`; of a distinct kind those of n values.
// `seen` is empty; `run` is scratch.
void take_rows(RowStream* stream, const CollectionSpec& spec, ValueSet* seen,
               std::vector<RowRef>* run, std::vector<RowRef>* out);

}  // namespace tidemill
