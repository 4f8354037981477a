// Evaluates expressions over rows for expressions_test.py, which compares with PostgreSQL.
//
//   expression_driver functions        a line each: signature as in docs/expressions.md, name,
//                                      argument types, result, "..." if variadic
//   expression_driver evaluate ROWS    expressions on standard input, one a line
//
// ROWS: a line of name:type separated by tabs, then rows in the text format of PostgreSQL's COPY,
// in which lists, structs and maps are JSON.
// Answers, a line an expression: its type and a value for each row, separated by tabs: \N, ! and
// the SQLSTATE of its error, or the value: doubles and bytes in hexadecimal digits, times as
// numbers. An expression that does not parse is answered with "error" and why.
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>

#include "shared/expr/evaluator.h"
#include "shared/expr/functions.h"
#include "shared/expr/parser.h"
#include "shared/expr/types.h"
#include "shared/nested/nested_json.h"
#include "shared/nested/proto_type.h"

namespace tidemill {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> out(1);
  for (const char c : line) {
    if (c == '\t') {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::string unescaped(const std::string& field) {
  static const std::map<char, char> kEscapes = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'},
                                                {'b', '\b'}, {'f', '\f'}, {'v', '\v'}};
  std::string out;
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '\\' || i + 1 == field.size()) {
      out += field[i];
      continue;
    }
    const auto escape = kEscapes.find(field[++i]);
    out += escape == kEscapes.end() ? field[i] : escape->second;
  }
  return out;
}

struct InputRows {
  std::vector<NamedColumn> names;
  EventBatch batch;
  std::deque<std::string> text;  // what strings point into
  std::deque<Evaluator> casts;   // whose columns are in the batch
};

// Text becomes a column's values by the cast that expressions have.
void convert(InputRows* rows, size_t column) {
  EventBatch strings;
  strings.offsets = rows->batch.offsets;
  strings.columns.push_back(rows->batch.columns[column]);
  const std::string cast = "cast(s as " + type_name(rows->names[column].type) + ")";
  auto expr = parse_expression(cast, {{"s", proto::STRING}});
  ASSERT(expr.ok());
  rows->casts.push_back(*Evaluator::compile(*expr, {ColumnType::kString}));
  std::vector<RowError> errors;
  rows->batch.columns[column] = rows->casts.back().evaluate(strings, &errors);
  ASSERT(errors.empty());
}

// Lists, structs and maps come as JSON.
void convert_nested(InputRows* rows, size_t column) {
  const NestedType type = nested_type(rows->names[column].details);
  Column& values = rows->batch.columns[column];
  values.type = type.kind;
  NestedJsonParser parser;
  for (size_t row = 0; row < values.strings.size(); ++row) {
    if (values.nulls[row] != 0) continue;
    std::string_view value;
    ASSERT(!parser.parse(type, values.strings[row], &value).has_value());
    rows->text.emplace_back(value);
    values.strings[row] = rows->text.back();
  }
}

InputRows read_rows(const char* path) {
  InputRows rows;
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  for (const std::string& field : split(line)) {
    const size_t colon = field.find(':');
    rows.names.push_back(
        named_column(field.substr(0, colon), *parse_type(field.substr(colon + 1))));
  }
  rows.batch.columns.resize(rows.names.size());
  for (Column& column : rows.batch.columns) column.type = ColumnType::kString;
  while (std::getline(in, line)) {
    const std::vector<std::string> fields = split(line);
    ASSERT(fields.size() == rows.names.size());
    for (size_t i = 0; i < fields.size(); ++i) {
      const bool null = fields[i] == "\\N";
      rows.batch.columns[i].nulls.push_back(null);
      rows.text.push_back(null ? "" : unescaped(fields[i]));
      rows.batch.columns[i].strings.push_back(rows.text.back());
    }
    rows.batch.offsets.push_back(rows.batch.offsets.size());
  }
  for (size_t i = 0; i < rows.names.size(); ++i) {
    if (is_nested(rows.names[i].type)) {
      convert_nested(&rows, i);
    } else if (rows.names[i].type != proto::STRING) {
      convert(&rows, i);
    }
  }
  return rows;
}

std::string hexadecimal(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    std::array<char, 3> digits;
    std::snprintf(digits.data(), 3, "%02x", static_cast<unsigned char>(c));
    out += digits.data();
  }
  return out;
}

std::string value_at(const Column& column, size_t row) {
  if (column.nulls[row] != 0) return "\\N";
  switch (storage_of(column.type)) {
    case Storage::kBits:
      return column.bools[row] != 0 ? "true" : "false";
    case Storage::kDoubles: {
      if (std::isnan(column.doubles[row])) return "NaN";
      std::array<char, 17> digits;
      std::snprintf(digits.data(), digits.size(), "%016llx",
                    std::bit_cast<unsigned long long>(column.doubles[row]));
      return digits.data();
    }
    case Storage::kStrings:
      if (column.type == ColumnType::kDecimal) {
        return hexadecimal(decimal_bytes_to_string(column.strings[row]));
      }
      return hexadecimal(column.strings[row]);
    default:
      return std::to_string(column.ints[row]);
  }
}

void answer(const InputRows& rows, const std::string& text) {
  auto expr = parse_expression(text, rows.names);
  if (!expr.ok()) {
    std::cout << "error\t" << expr.error().message() << '\n';
    return;
  }
  // As it comes, not with the digits that a column of a table has.
  if (expr->type() == proto::DECIMAL && expr->op() != proto::Expr::CAST) {
    expr->mutable_details()->set_precision(0);
    expr->mutable_details()->set_scale(0);
  }
  std::vector<ColumnType> types;
  for (const NamedColumn& name : rows.names) types.push_back(static_cast<ColumnType>(name.type));
  Result<Evaluator> evaluator = Evaluator::compile(*expr, types);
  ASSERT(evaluator.ok());
  std::vector<RowError> errors;
  const Column& column = evaluator->evaluate(rows.batch, &errors);
  std::vector<std::string> values;
  for (size_t row = 0; row < rows.batch.rows(); ++row) values.push_back(value_at(column, row));
  for (const RowError& error : errors) values[error.row] = std::string("!") + error.sqlstate;
  std::cout << type_name(expr->type());
  for (const std::string& value : values) std::cout << '\t' << value;
  std::cout << '\n';
}

void print_functions() {
  for (const FunctionFamily& family : function_families()) {
    for (const SqlFunction& each : family.functions) {
      const auto name = [](proto::ColumnType type) {
        return type == kAnyType ? std::string("any") : type_name(type);
      };
      std::cout << signature(each) << '\t' << each.name << '\t';
      for (size_t i = 0; i < each.args.size(); ++i) {
        std::cout << (i == 0 ? "" : ",") << name(each.args[i]);
      }
      std::cout << '\t' << name(each.result) << '\t' << (each.variadic ? "..." : "") << '\n';
    }
  }
}

}  // namespace
}  // namespace tidemill

int main(int argc, char** argv) {
  using namespace tidemill;
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "functions" && argc == 2) {
    print_functions();
    return 0;
  }
  if (command != "evaluate" || argc != 3) {
    std::cerr << "expression_driver: write 'functions' or 'evaluate ROWS'\n";
    return 2;
  }
  const InputRows rows = read_rows(argv[2]);
  for (std::string line; std::getline(std::cin, line);) answer(rows, line);
  return 0;
}
