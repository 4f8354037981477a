// Random well-typed expressions over random rows: the evaluator against the row interpreter, and
// the printer against the parser.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "shared/expr/casts.h"
#include "shared/expr/check.h"
#include "shared/expr/evaluator.h"
#include "shared/expr/parser.h"
#include "shared/expr/printer.h"
#include "shared/expr/types.h"
#include "tests/unit/expr/row_interpreter.h"

namespace tidemill {
namespace {

using proto::Expr;
using test::Value;

const std::vector<proto::ColumnType> kTypes = {proto::BOOL,   proto::INT32,  proto::INT64,
                                               proto::DOUBLE, proto::STRING, proto::TIMESTAMP};

// Two columns of each type.
std::vector<NamedColumn> schema() {
  std::vector<NamedColumn> out;
  for (proto::ColumnType type : kTypes) {
    out.push_back({"a_" + type_name(type), type});
    out.push_back({"B " + type_name(type), type});
  }
  return out;
}

std::vector<ColumnType> column_types() {
  std::vector<ColumnType> out;
  for (const NamedColumn& c : schema()) out.push_back(static_cast<ColumnType>(c.type));
  return out;
}

Value random_value(proto::ColumnType type) {
  const int kind = *rc::gen::inRange(0, 8);
  if (kind == 0) return {};
  switch (type) {
    case proto::BOOL:
      return *rc::gen::arbitrary<bool>();
    case proto::INT32:
      if (kind == 1) return int64_t{std::numeric_limits<int32_t>::min()};
      return int64_t{kind < 6 ? *rc::gen::inRange(-3, 4) : *rc::gen::arbitrary<int32_t>()};
    case proto::INT64:
      if (kind == 1) return std::numeric_limits<int64_t>::min();
      return kind < 6 ? int64_t{*rc::gen::inRange(-3, 4)} : *rc::gen::arbitrary<int64_t>();
    case proto::TIMESTAMP:
      return *rc::gen::inRange<int64_t>(1'500'000'000'000'000, 1'600'000'000'000'000);
    case proto::DOUBLE: {
      const std::vector<double> special = {0.0,
                                           -0.0,
                                           0.5,
                                           1.5,
                                           2.5,
                                           -2.5,
                                           std::nan(""),
                                           std::numeric_limits<double>::infinity(),
                                           1e308,
                                           1e-308,
                                           -std::numeric_limits<double>::infinity(),
                                           9223372036854775808.0,
                                           1e19};
      return kind < 5 ? *rc::gen::elementOf(special) : *rc::gen::arbitrary<double>();
    }
    default:
      return *rc::gen::element<std::string>("", "a", "ab", "it's", "\"q\"", "ü");
  }
}

Expr with_literal(proto::ColumnType type) {
  Expr out;
  out.set_op(Expr::LITERAL);
  out.set_type(type);
  const Value value = random_value(type);
  if (const bool* b = std::get_if<bool>(&value)) out.set_literal_bool(*b);
  if (const int64_t* i = std::get_if<int64_t>(&value)) out.set_literal_int(*i);
  if (const double* d = std::get_if<double>(&value)) out.set_literal_double(*d);
  if (const std::string* s = std::get_if<std::string>(&value)) out.set_literal_string(*s);
  return out;
}

Expr random_expr(proto::ColumnType type, int depth);

Expr apply(Expr::Op op, proto::ColumnType type, std::vector<Expr> args) {
  Expr out;
  out.set_op(op);
  out.set_type(type);
  for (Expr& arg : args) *out.add_args() = std::move(arg);
  return out;
}

Expr random_bool(int depth) {
  const int kind = *rc::gen::inRange(0, 4);
  if (kind == 0) {
    const proto::ColumnType of = *rc::gen::elementOf(kTypes);
    const auto op = static_cast<Expr::Op>(*rc::gen::inRange(int{Expr::EQUAL}, int{Expr::AND}));
    return apply(op, proto::BOOL, {random_expr(of, depth - 1), random_expr(of, depth - 1)});
  }
  if (kind == 1) {
    const auto op =
        static_cast<Expr::Op>(*rc::gen::inRange(int{Expr::NOT}, int{Expr::IS_NOT_UNKNOWN} + 1));
    const bool any = op == Expr::IS_NULL || op == Expr::IS_NOT_NULL;
    const proto::ColumnType of = any ? *rc::gen::elementOf(kTypes) : proto::BOOL;
    return apply(op, proto::BOOL, {random_expr(of, depth - 1)});
  }
  std::vector<Expr> args;
  const int count = *rc::gen::inRange(2, 4);
  for (int i = 0; i < count; ++i) args.push_back(random_expr(proto::BOOL, depth - 1));
  return apply(kind == 2 ? Expr::AND : Expr::OR, proto::BOOL, std::move(args));
}

Expr random_number(proto::ColumnType type, int depth) {
  const int last = type == proto::DOUBLE ? Expr::DIVIDE : Expr::NEGATE;
  const auto op = static_cast<Expr::Op>(*rc::gen::inRange(int{Expr::CAST}, last + 1));
  if (op == Expr::NEGATE) return apply(op, type, {random_expr(type, depth - 1)});
  if (op != Expr::CAST) {
    return apply(op, type, {random_expr(type, depth - 1), random_expr(type, depth - 1)});
  }
  std::vector<proto::ColumnType> from;
  for (proto::ColumnType each : kTypes) {
    if (each != proto::STRING && can_cast(each, type)) from.push_back(each);
  }
  return apply(op, type, {random_expr(*rc::gen::elementOf(from), depth - 1)});
}

Expr random_expr(proto::ColumnType type, int depth) {
  const bool leaf_only = type == proto::STRING || type == proto::TIMESTAMP;
  if (depth <= 0 || leaf_only || *rc::gen::inRange(0, 5) == 0) {
    if (*rc::gen::inRange(0, 3) == 0) return with_literal(type);
    Expr out;
    out.set_op(Expr::COLUMN);
    out.set_type(type);
    out.set_column(2 * (static_cast<uint32_t>(type) - 1) + (*rc::gen::arbitrary<bool>() ? 1 : 0));
    return out;
  }
  return type == proto::BOOL ? random_bool(depth) : random_number(type, depth);
}

// Rows as columns; strings point into `rows`.
EventBatch to_batch(const std::vector<std::vector<Value>>& rows) {
  EventBatch batch;
  for (size_t i = 0; i < rows.size(); ++i) batch.offsets.push_back(i);
  for (size_t c = 0; c < schema().size(); ++c) {
    Column column;
    column.type = column_types()[c];
    for (const std::vector<Value>& row : rows) {
      const Value& v = row[c];
      column.nulls.push_back(std::holds_alternative<std::monostate>(v));
      const bool null = column.nulls.back() != 0;
      switch (column.type) {
        case ColumnType::kBool:
          column.bools.push_back(!null && std::get<bool>(v));
          break;
        case ColumnType::kDouble:
          column.doubles.push_back(null ? 0 : std::get<double>(v));
          break;
        case ColumnType::kString:
          column.strings.push_back(null ? std::string_view() : std::get<std::string>(v));
          break;
        default:
          column.ints.push_back(null ? 0 : std::get<int64_t>(v));
      }
    }
    batch.columns.push_back(std::move(column));
  }
  return batch;
}

Value value_at(const Column& column, size_t row) {
  if (column.nulls[row] != 0) return {};
  switch (column.type) {
    case ColumnType::kBool:
      return column.bools[row] != 0;
    case ColumnType::kDouble:
      return column.doubles[row];
    case ColumnType::kString:
      return std::string(column.strings[row]);
    default:
      return column.ints[row];
  }
}

bool same(const Value& a, const Value& b) {
  const double* x = std::get_if<double>(&a);
  const double* y = std::get_if<double>(&b);
  if (x != nullptr && y != nullptr && std::isnan(*x) && std::isnan(*y)) return true;
  return a == b;
}

RC_GTEST_PROP(Evaluator, AgreesWithTheRowInterpreter, ()) {
  const Expr expr = random_expr(*rc::gen::elementOf(kTypes), *rc::gen::inRange(0, 6));
  Result<Evaluator> evaluator = Evaluator::compile(expr, column_types());
  RC_ASSERT(evaluator.ok());
  for (int batches = 0; batches < 2; ++batches) {
    std::vector<std::vector<Value>> rows(*rc::gen::inRange<size_t>(0, 20));
    for (std::vector<Value>& row : rows) {
      for (const NamedColumn& column : schema()) row.push_back(random_value(column.type));
    }
    const EventBatch batch = to_batch(rows);
    std::vector<RowError> errors;
    const Column& out = evaluator->evaluate(batch, &errors);
    RC_ASSERT(out.size() == rows.size());
    size_t error = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::optional<Value> expected = test::interpret(expr, rows[i]);
      if (!expected.has_value()) {
        RC_ASSERT(error < errors.size());
        RC_ASSERT(errors[error++].row == i);
      }
      RC_ASSERT(same(value_at(out, i), expected.value_or(Value())));
    }
    RC_ASSERT(error == errors.size());
  }
}

RC_GTEST_PROP(Printer, TextMeansTheSame, ()) {
  std::vector<std::string> names;
  for (const NamedColumn& column : schema()) names.push_back(column.name);
  const Expr expr = random_expr(*rc::gen::elementOf(kTypes), *rc::gen::inRange(0, 5));
  const std::string text = to_sql(expr, names);
  const Result<Expr> parsed = parse_expression(text, schema());
  if (!parsed.ok()) {
    // Literals are worked out by the parser, which may find that they cannot be.
    RC_DISCARD("an operator over literals alone fails");
  }
  RC_ASSERT(parsed->type() == expr.type());
  const Result<Expr> again = parse_expression(parsed->text(), schema());
  RC_ASSERT(again.ok());
  RC_ASSERT(again->SerializeAsString() == parsed->SerializeAsString());
  std::vector<Value> row;
  for (const NamedColumn& column : schema()) row.push_back(random_value(column.type));
  const auto before = test::interpret(expr, row);
  const auto after = test::interpret(*parsed, row);
  RC_ASSERT(before.has_value() == after.has_value());
  if (before.has_value()) RC_ASSERT(same(*before, *after));
}

}  // namespace
}  // namespace tidemill
