#include "shared/plan/type_checks.h"

#include "shared/expr/types.h"

namespace tidemill {
namespace {

// Types with details agree with those of the columns that they come from.
Status check_column_details(const proto::Expr& expr, const proto::Source& source) {
  if (expr.has_details() != has_details(expr.type())) {
    return user_error("the details of an expression's type are missing, or there needlessly");
  }
  if (expr.has_details()) {
    if (expr.details().kind() != expr.type()) {
      return user_error("the details of an expression are of another type");
    }
    if (Status s = check_type(expr.details()); !s.ok()) return s;
  }
  if (expr.op() == proto::Expr::COLUMN &&
      !same_type(full_type(expr), full_type(source.schema(static_cast<int>(expr.column()))))) {
    return user_error("an expression names a column of another type");
  }
  for (const proto::Expr& arg : expr.args()) {
    if (Status s = check_column_details(arg, source); !s.ok()) return s;
  }
  return {};
}

}  // namespace

Status check_details(proto::ColumnType kind, bool has, const proto::Type& details) {
  if (has != has_details(kind) || (has && details.kind() != kind)) {
    return user_error("the details of a type are missing, or there needlessly");
  }
  if (!has) return {};
  if (kind == proto::DECIMAL && details.precision() == 0) {
    return user_error("a decimal has no precision");
  }
  return check_type(details);
}

Status check_input_details(const proto::Source& source, const proto::Table& table,
                           const proto::TableInput& input) {
  for (const auto* list : {&input.keys(), &input.columns(), &input.filters()}) {
    for (const proto::Expr& expr : *list) {
      if (Status s = check_column_details(expr, source); !s.ok()) return s;
    }
  }
  for (int i = 0; i < input.columns_size(); ++i) {
    if (same_type(full_type(input.columns(i)), column_type(table, i))) continue;
    return user_error("a column is not of its type");
  }
  return input.has_where() ? check_column_details(input.where(), source) : Status();
}

Status check_column_types(const proto::Table& table) {
  if (table.column_details_size() == 0) return {};
  if (table.column_details_size() != table.column_types_size()) {
    return user_error("it has not one type per column");
  }
  for (int i = 0; i < table.column_types_size(); ++i) {
    const proto::Type& type = table.column_details(i);
    if (type.kind() != static_cast<proto::ColumnType>(table.column_types(i))) {
      return user_error("a column has two types");
    }
    if (Status s = check_type(type); !s.ok()) return s;
  }
  return {};
}

}  // namespace tidemill
