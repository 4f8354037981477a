#include "shared/plan/table_inputs.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

using proto::Expr;
using proto::TableInput;
using Expressions = google::protobuf::RepeatedPtrField<Expr>;

using ListOf = const Expressions& (TableInput::*)() const;
using MutableListOf = Expressions* (TableInput::*)();

ExprTuple tuple_of(const proto::Table& table, ListOf list, int32_t index) {
  ExprTuple out;
  for (const TableInput& input : table.inputs()) out.push_back((input.*list)().Get(index));
  return out;
}

bool has_texts(const proto::Table& table, ListOf list, int index, const ExprTuple& tuple) {
  for (size_t i = 0; i < tuple.size(); ++i) {
    const Expressions& of_input = (table.inputs(static_cast<int>(i)).*list)();
    if (of_input.Get(index).text() != tuple[i].text()) return false;
  }
  return true;
}

// Index of the tuple, or how many there are if it is none of them.
int find(const proto::Table& table, ListOf list, const ExprTuple& tuple) {
  ASSERT(static_cast<size_t>(table.inputs_size()) == tuple.size() && !tuple.empty());
  const int count = (table.inputs(0).*list)().size();
  int index = 0;
  while (index < count && !has_texts(table, list, index, tuple)) ++index;
  return index;
}

int32_t shared(const ExprTuple& tuple, ListOf list, MutableListOf mutable_list,
               proto::Table* table) {
  const int index = find(*table, list, tuple);
  if (index < (table->inputs(0).*list)().size()) return index;
  for (size_t i = 0; i < tuple.size(); ++i) {
    *(table->mutable_inputs(static_cast<int>(i))->*mutable_list)()->Add() = tuple[i];
  }
  return index;
}

bool same_texts(const Expressions& a, const Expressions& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Expr& x, const Expr& y) { return x.text() == y.text(); });
}

}  // namespace

size_t count_parts(const Expr& expr, size_t most) {
  size_t parts = 1;
  for (const Expr& arg : expr.args()) {
    if (parts > most) break;
    parts += count_parts(arg, most - parts);
  }
  return parts;
}

int32_t shared_column(const ExprTuple& column, proto::Table* table) {
  const int32_t index = shared(column, &TableInput::columns, &TableInput::mutable_columns, table);
  if (index != table->column_types_size()) return index;
  const proto::Type type = full_type(column[0]);
  table->add_column_types(type.kind());
  if (!has_details(type.kind()) && table->column_details_size() == 0) return index;
  for (int i = table->column_details_size(); i < index; ++i) {
    table->add_column_details()->set_kind(table->column_types(i));
  }
  *table->add_column_details() = type;
  return index;
}

int32_t shared_filter(const ExprTuple& filter, proto::Table* table) {
  return shared(filter, &TableInput::filters, &TableInput::mutable_filters, table);
}

int32_t find_column(const ExprTuple& column, const proto::Table& table) {
  const int index = find(table, &TableInput::columns, column);
  return index < table.column_types_size() ? index : -1;
}

int32_t find_filter(const ExprTuple& filter, const proto::Table& table) {
  const int index = find(table, &TableInput::filters, filter);
  return index < table.inputs(0).filters_size() ? index : -1;
}

ExprTuple column_of(const proto::Table& table, int32_t column) {
  return tuple_of(table, &TableInput::columns, column);
}

ExprTuple filter_of(const proto::Table& table, int32_t filter) {
  return tuple_of(table, &TableInput::filters, filter);
}

proto::Table without_columns(const proto::Table& table) {
  proto::Table out = table;
  out.clear_column_types();
  out.clear_column_details();
  out.clear_retention_us();
  out.clear_deduplication();
  for (TableInput& input : *out.mutable_inputs()) {
    input.clear_columns();
    input.clear_filters();
  }
  return out;
}

bool same_rows(const proto::Table& a, const proto::Table& b) {
  if (a.entity() != b.entity()) return false;
  return std::equal(a.inputs().begin(), a.inputs().end(), b.inputs().begin(), b.inputs().end(),
                    [](const TableInput& x, const TableInput& y) {
                      return x.source() == y.source() && same_texts(x.keys(), y.keys()) &&
                             x.has_where() == y.has_where() && x.where().text() == y.where().text();
                    });
}

std::string column_text(const proto::Table& table, int32_t column) {
  std::vector<std::string> texts;
  for (const Expr& expr : column_of(table, column)) {
    if (std::find(texts.begin(), texts.end(), expr.text()) == texts.end()) {
      texts.push_back(expr.text());
    }
  }
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : " | ") + text;
  return out;
}

std::string source_names(const proto::JobPlan& plan, const proto::Table& table) {
  std::vector<std::string> names;
  for (const TableInput& input : table.inputs()) {
    const std::string& name = plan.sources(static_cast<int>(input.source())).name();
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace tidemill
