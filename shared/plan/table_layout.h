// Which views share a table. Views of one entity over the same inputs do, so that an event costs
// one look-up for all of them, unless an expression of a view can fail on a row: such a row is
// missing from its table, and must still count in the other views. A view of that kind has a table
// alone, and so has one that deduplicates, for which fewer rows count.
#pragma once

#include "proto/plan.pb.h"

namespace tidemill {

// Moves every view that can fail into a table of its own. Features keep their meaning; a plan laid
// out before stays as it is.
void separate_views_that_can_fail(proto::JobPlan* plan);

// Whether there may be an event on which an expression of the view fails: its key, columns,
// conditions, order, or the condition of an input.
bool view_can_fail(const proto::View& view, const proto::Table& table);

// Whether a column (filter) of the table can fail, in any of its inputs.
bool column_can_fail(const proto::Table& table, int32_t column);
bool filter_can_fail(const proto::Table& table, int32_t filter);

// Of which events a table gets rows, of those that its inputs' conditions and keys let through: only
// of those that pass one of its filters if every feature over it has one. A job that was changed
// states it, so that it stays what it was.
enum class RowsKept : uint8_t { kNone, kPassing, kAll };
RowsKept rows_kept(const proto::JobPlan& plan, uint32_t table);

// With the order in which it looks at rows, which is that of its view if it does not state one.
proto::Deduplication stated_deduplication(proto::Deduplication deduplication,
                                          const proto::View& view);

}  // namespace tidemill
