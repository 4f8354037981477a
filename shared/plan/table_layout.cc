#include "shared/plan/table_layout.h"

#include <map>
#include <utility>

#include "shared/expr/functions.h"
#include "shared/plan/window_kinds.h"

namespace tidemill {
namespace {

using proto::Expr;
using Expressions = google::protobuf::RepeatedPtrField<Expr>;

bool view_can_fail(const proto::View& view, const proto::Table& table) {
  for (const proto::Feature& f : view.features()) {
    if (f.column() >= 0 && can_fail(table.columns(f.column()))) return true;
    if (f.filter() >= 0 && can_fail(table.filters(f.filter()))) return true;
  }
  for (const uint32_t column : view.order()) {
    if (can_fail(table.columns(static_cast<int>(column)))) return true;
  }
  return false;
}

// Index of an expression in `list`, where it is put if it is new; -1 stays -1.
int32_t moved(const Expressions& from, int32_t index, Expressions* list) {
  if (index < 0) return index;
  const Expr& expr = from.Get(index);
  for (int i = 0; i < list->size(); ++i) {
    if (list->Get(i).text() == expr.text()) return i;
  }
  *list->Add() = expr;
  return list->size() - 1;
}

}  // namespace

void separate_views_that_can_fail(proto::JobPlan* plan) {
  const auto old_tables = plan->tables();
  plan->clear_tables();
  std::map<std::pair<uint32_t, int>, int> laid_out;  // (old table, view or -1) -> new table
  for (int v = 0; v < plan->views_size(); ++v) {
    proto::View* view = plan->mutable_views(v);
    const proto::Table& old = old_tables.Get(static_cast<int>(view->table()));
    const int alone = view_can_fail(*view, old) ? v : -1;
    const auto [it, added] = laid_out.try_emplace({view->table(), alone}, plan->tables_size());
    if (added) {
      proto::Table* table = plan->add_tables();
      *table = old;
      table->clear_columns();
      table->clear_filters();
      table->set_retention_us(0);
    }
    proto::Table* table = plan->mutable_tables(it->second);
    view->set_table(static_cast<uint32_t>(it->second));
    for (proto::Feature& f : *view->mutable_features()) {
      f.set_column(moved(old.columns(), f.column(), table->mutable_columns()));
      f.set_filter(moved(old.filters(), f.filter(), table->mutable_filters()));
      table->set_retention_us(std::max<int64_t>(table->retention_us(), reach_of(f)));
    }
    for (uint32_t& column : *view->mutable_order()) {
      const auto from = static_cast<int32_t>(column);
      column = static_cast<uint32_t>(moved(old.columns(), from, table->mutable_columns()));
    }
  }
}

}  // namespace tidemill
