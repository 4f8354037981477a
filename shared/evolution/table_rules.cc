#include "shared/evolution/table_rules.h"

#include <algorithm>

#include "shared/evolution/definition_text.h"
#include "shared/plan/summaries.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/table_layout.h"

namespace tidemill {

using proto::Feature;
using proto::Table;
using proto::View;

bool has_own_bound(const Table& table) { return table.has_bound() && !table.bound().by_default(); }

bool is_alone(const View& view, const Table& table) {
  return table.has_deduplication() || has_own_bound(table) || view_can_fail(view, table);
}

bool any_can_fail(const Table& table) {
  for (int c = 0; c < table.column_types_size(); ++c) {
    if (column_can_fail(table, c)) return true;
  }
  for (int f = 0; f < table.inputs(0).filters_size(); ++f) {
    if (filter_can_fail(table, f)) return true;
  }
  return false;
}

namespace {

std::vector<std::string> texts_of(const Table& table, const proto::Deduplication& of) {
  std::vector<std::string> out{std::to_string(of.within_us())};
  for (const uint32_t column : of.by()) {
    out.push_back(column_text(table, static_cast<int32_t>(column)));
  }
  if (of.filter() > 0) out.push_back(filter_text(table, static_cast<int32_t>(of.filter()) - 1));
  return out;
}

}  // namespace

bool same_deduplication(const Table& a, const Table& b) {
  if (a.has_deduplication() != b.has_deduplication()) return false;
  return !a.has_deduplication() || texts_of(a, a.deduplication()) == texts_of(b, b.deduplication());
}

bool same_bound(const Table& a, const Table& b) {
  if (has_own_bound(a) != has_own_bound(b)) return false;
  return !has_own_bound(a) || (a.bound().max_rows() == b.bound().max_rows() &&
                               a.bound().resolution_us() == b.bound().resolution_us());
}

std::vector<int32_t> filters_of(const View& view) {
  std::vector<int32_t> out;
  for (const Feature& feature : view.features()) {
    if (feature.filter() < 0) continue;
    if (std::find(out.begin(), out.end(), feature.filter()) == out.end()) {
      out.push_back(feature.filter());
    }
  }
  return out;
}

bool same_order(const View& a, const View& b) {
  return std::equal(a.order().begin(), a.order().end(), b.order().begin(), b.order().end());
}

std::set<std::string> failing_in(const Table& table) {
  std::set<std::string> out;
  for (int c = 0; c < table.column_types_size(); ++c) {
    if (column_can_fail(table, c)) out.insert(column_text(table, c));
  }
  for (int f = 0; f < table.inputs(0).filters_size(); ++f) {
    if (filter_can_fail(table, f)) out.insert("where " + filter_text(table, f));
  }
  return out;
}

std::set<std::string> failing_of(const View& view, const Table& table) {
  return view_can_fail(view, table) ? failing_in(table) : std::set<std::string>();
}

namespace {

std::vector<std::string> order_of(const Table& table, const proto::Deduplication& of) {
  std::vector<std::string> out;
  for (const uint32_t column : of.order()) {
    out.push_back(column_text(table, static_cast<int32_t>(column)));
  }
  for (const uint32_t filter : of.order_filters()) {
    out.push_back("where " + filter_text(table, static_cast<int32_t>(filter)));
  }
  return out;
}

}  // namespace

bool leaves_out_the_same(const Table& held, const View& view, const Table& wanted) {
  if (failing_in(held) != failing_of(view, wanted)) return false;
  if (!same_deduplication(held, wanted)) return false;
  if (!held.has_deduplication()) return true;
  const proto::Deduplication is = stated_deduplication(wanted.deduplication(), view);
  return order_of(held, held.deduplication()) == order_of(wanted, is);
}

int64_t reach_kept(const Table& table) {
  return table.retention_us() - (table.has_deduplication() ? table.deduplication().within_us() : 0);
}

int64_t first_reach(const Table& table) {
  const int64_t longer =
      table.has_first_retention_us() ? table.retention_us() - table.first_retention_us() : 0;
  return reach_kept(table) - longer;
}

void state_what_feeds(const proto::JobPlan& plan, int number, Table* table) {
  switch (rows_kept(plan, static_cast<uint32_t>(number))) {
    case RowsKept::kNone:
      return table->set_fed(Table::FED_NONE);
    case RowsKept::kPassing:
      return table->set_fed(Table::FED_PASSING);
    case RowsKept::kAll:
      return table->set_fed(Table::FED_ALL);
  }
}

std::deque<Table> kept_tables(const proto::JobPlan& plan) {
  std::deque<Table> out(plan.tables().begin(), plan.tables().end());
  for (int t = 0; t < plan.tables_size(); ++t) {
    Table& table = out[static_cast<size_t>(t)];
    table.clear_summarized();
    for (proto::LifetimeFeature& kept : summarized_features(plan, static_cast<uint32_t>(t))) {
      *table.add_summarized() = std::move(kept);
    }
    if (table.fed() == Table::FED_UNSPECIFIED) state_what_feeds(plan, t, &table);
  }
  for (const View& view : plan.views()) {
    Table& table = out[view.table()];
    if (!table.has_deduplication()) continue;
    *table.mutable_deduplication() = stated_deduplication(table.deduplication(), view);
  }
  return out;
}

}  // namespace tidemill
