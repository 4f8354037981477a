#include "shared/plan/table_layout.h"

#include <algorithm>
#include <map>
#include <utility>

#include "shared/expr/functions.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/window_kinds.h"

namespace tidemill {
namespace {

bool input_can_fail(const proto::View& view, const proto::TableInput& input) {
  if (input.has_where() && can_fail(input.where())) return true;
  for (const proto::Expr& key : input.keys()) {
    if (can_fail(key)) return true;
  }
  for (const proto::Feature& f : view.features()) {
    if (f.column() >= 0 && can_fail(input.columns(f.column()))) return true;
    if (f.filter() >= 0 && can_fail(input.filters(f.filter()))) return true;
    if (f.by() > 0 && can_fail(input.columns(static_cast<int>(f.by()) - 1))) return true;
  }
  for (const uint32_t column : view.order()) {
    if (can_fail(input.columns(static_cast<int>(column)))) return true;
  }
  return false;
}

bool any_can_fail(const ExprTuple& exprs) {
  return std::any_of(exprs.begin(), exprs.end(),
                     [](const proto::Expr& expr) { return can_fail(expr); });
}

// Index in `table` of what is a column (filter) of `old`; -1 stays -1.
int32_t moved_column(const proto::Table& old, int32_t index, proto::Table* table) {
  return index < 0 ? index : shared_column(column_of(old, index), table);
}
int32_t moved_filter(const proto::Table& old, int32_t index, proto::Table* table) {
  return index < 0 ? index : shared_filter(filter_of(old, index), table);
}

// After the columns and filters of the table's features.
void move_deduplication(const proto::Table& old, proto::Table* table) {
  proto::Deduplication moved = old.deduplication();
  for (uint32_t& column : *moved.mutable_by()) {
    column = static_cast<uint32_t>(moved_column(old, static_cast<int32_t>(column), table));
  }
  const int32_t filter = moved_filter(old, static_cast<int32_t>(moved.filter()) - 1, table);
  moved.set_filter(static_cast<uint32_t>(filter + 1));
  table->set_retention_us(table->retention_us() + moved.within_us());
  *table->mutable_deduplication() = std::move(moved);
}

}  // namespace

bool view_can_fail(const proto::View& view, const proto::Table& table) {
  return std::any_of(table.inputs().begin(), table.inputs().end(),
                     [&](const proto::TableInput& input) { return input_can_fail(view, input); });
}

bool column_can_fail(const proto::Table& table, int32_t column) {
  return any_can_fail(column_of(table, column));
}

bool filter_can_fail(const proto::Table& table, int32_t filter) {
  return any_can_fail(filter_of(table, filter));
}

RowsKept rows_kept(const proto::JobPlan& plan, uint32_t table) {
  const proto::Table& of = plan.tables(static_cast<int>(table));
  if (of.fed() == proto::Table::FED_ALL) return RowsKept::kAll;
  if (of.fed() == proto::Table::FED_PASSING) return RowsKept::kPassing;
  RowsKept out = RowsKept::kNone;
  if (of.fed() == proto::Table::FED_NONE) return out;
  for (const proto::View& view : plan.views()) {
    if (view.table() != table) continue;
    // What does not count for itself tells which rows count.
    const bool all = of.has_deduplication()
                         ? of.deduplication().filter() == 0
                         : std::any_of(view.features().begin(), view.features().end(),
                                       [](const proto::Feature& f) { return f.filter() < 0; });
    out = std::max(out, all ? RowsKept::kAll : RowsKept::kPassing);
  }
  return out;
}

proto::Deduplication stated_deduplication(proto::Deduplication deduplication,
                                          const proto::View& view) {
  if (deduplication.order_stated()) return deduplication;
  deduplication.set_order_stated(true);
  *deduplication.mutable_order() = view.order();
  for (const proto::Feature& feature : view.features()) {
    if (feature.filter() < 0) continue;
    const auto filter = static_cast<uint32_t>(feature.filter());
    const auto& known = deduplication.order_filters();
    if (std::find(known.begin(), known.end(), filter) == known.end()) {
      deduplication.add_order_filters(filter);
    }
  }
  return deduplication;
}

void separate_views_that_can_fail(proto::JobPlan* plan) {
  const auto old_tables = plan->tables();
  plan->clear_tables();
  std::map<std::pair<uint32_t, int>, int> laid_out;  // (old table, view or -1) -> new table
  for (int v = 0; v < plan->views_size(); ++v) {
    proto::View* view = plan->mutable_views(v);
    const proto::Table& old = old_tables.Get(static_cast<int>(view->table()));
    const int alone = old.has_deduplication() || view_can_fail(*view, old) ? v : -1;
    const auto [it, added] = laid_out.try_emplace({view->table(), alone}, plan->tables_size());
    if (added) *plan->add_tables() = without_columns(old);
    proto::Table* table = plan->mutable_tables(it->second);
    view->set_table(static_cast<uint32_t>(it->second));
    for (proto::Feature& f : *view->mutable_features()) {
      f.set_column(moved_column(old, f.column(), table));
      f.set_filter(moved_filter(old, f.filter(), table));
      const int32_t by = moved_column(old, static_cast<int32_t>(f.by()) - 1, table);
      f.set_by(static_cast<uint32_t>(by + 1));
      table->set_retention_us(std::max<int64_t>(table->retention_us(), reach_of(f)));
    }
    for (uint32_t& column : *view->mutable_order()) {
      column = static_cast<uint32_t>(moved_column(old, static_cast<int32_t>(column), table));
    }
    if (old.has_deduplication()) move_deduplication(old, table);
  }
}

}  // namespace tidemill
