// SQL expressions: canonical text parses to the same expression, which has the same values.
#include "shared/expr/evaluator.h"
#include "shared/expr/parser.h"
#include "shared/expr/printer.h"
#include "shared/expr/types.h"
#include "shared/nested/nested_value.h"
#include "shared/nested/proto_type.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

const std::vector<NamedColumn> kSchema = {
    {"b", proto::BOOL},
    {"i", proto::INT32},
    {"n", proto::INT64},
    {"x", proto::DOUBLE},
    {"s", proto::STRING},
    {"t", proto::TIMESTAMP},
    {"d", proto::DATE},
    {"z", proto::BYTES},
    {"p", proto::JSON},
    {"tags", proto::LIST, *parse_type("string[]")},
    {"mp", proto::MAP, *parse_type("map<string, double>")},
    {"st", proto::STRUCT, *parse_type("struct<a: int32, b: list<decimal(5, 2)>>")},
    {"Odd \"name", proto::INT64},
    named_column("m", *parse_type("decimal(12, 2)"))};

Column column_of(ColumnType type, size_t at) {
  Column column;
  column.type = type;
  column.nulls = {0, 0, 0, 1};
  switch (type) {
    case ColumnType::kBool:
      column.bools = {0, 1, 1, 0};
      break;
    case ColumnType::kDouble:
      column.doubles = {0.5, -1e300, __builtin_nan(""), 0};
      break;
    case ColumnType::kString:
      column.strings = {"12", "", "2018-04-01T00:00:00Z", ""};
      break;
    case ColumnType::kBytes:
      column.strings = {std::string_view("\0\xff", 2), "", "bytes", ""};
      break;
    case ColumnType::kJson:
      column.strings = {R"({"a": [1, {"b": "x\u00e9"}], "s": "t"})", "[]", "null", ""};
      break;
    case ColumnType::kDecimal:  // 9999999999.99, 0.00, -1.10
      column.strings = {std::string_view("\x85\xe8\xd4\xa5\x0f\xff\x02", 7),
                        std::string_view("\x80\x02", 2), std::string_view("\x7f\x91\x02", 3), ""};
      break;
    case ColumnType::kDate:
      column.ints = {-2440588, 0, 2145031948, 0};
      break;
    case ColumnType::kList:
      column.strings = {std::string_view("\x04\x01"
                                         "a\x01"
                                         "b",
                                         5),
                        std::string_view("\x00", 1), std::string_view("\x05\x02\x00", 3), ""};
      break;
    case ColumnType::kMap:
      column.strings = {std::string_view("\x03\x01\x01"
                                         "a",
                                         4),
                        std::string_view("\x00", 1),
                        std::string_view("\x02\x01"
                                         "k\x80\x00\x00\x00\x00\x00\x00\x00",
                                         11),
                        ""};
      break;
    case ColumnType::kStruct:
      column.strings = {std::string_view("\x02\x80\x00\x00\x07", 5), std::string_view("\x03", 1),
                        std::string_view("\x01\x00", 2), ""};
      break;
    case ColumnType::kInt32:
      column.ints = {INT32_MIN, 0, 7, 0};
      break;
    case ColumnType::kTimestamp:
      column.ints = {-62135596800000000, static_cast<int64_t>(at), 253402300799999999, 0};
      break;
    default:
      column.ints = {INT64_MIN, static_cast<int64_t>(at), INT64_MAX, 0};
  }
  return column;
}

const EventBatch& rows() {
  static const EventBatch batch = [] {
    EventBatch out;
    for (const NamedColumn& column : kSchema) {
      out.columns.push_back(column_of(static_cast<ColumnType>(column.type), out.columns.size()));
    }
    out.offsets = {0, 1, 2, 3};
    out.end_offset = 4;
    return out;
  }();
  return batch;
}

// All values and errors, as bytes that compare.
std::string values(const proto::Expr& expr) {
  std::vector<ColumnType> schema;
  for (const NamedColumn& column : kSchema) schema.push_back(static_cast<ColumnType>(column.type));
  auto evaluator = Evaluator::compile(expr, schema);
  ASSERT(evaluator.ok());
  std::vector<RowError> errors;
  const Column& column = evaluator->evaluate(rows(), &errors);
  ASSERT(column.size() == rows().rows());
  std::string out;
  for (size_t row = 0; row < column.size(); ++row) {
    out += column.nulls[row] != 0 ? "null " : "value ";
    if (column.nulls[row] != 0) continue;
    if (!column.bools.empty()) out += column.bools[row] != 0 ? "true" : "false";
    if (!column.ints.empty()) out += std::to_string(column.ints[row]);
    if (!column.doubles.empty()) out.append(reinterpret_cast<const char*>(&column.doubles[row]), 8);
    if (!column.strings.empty()) out += column.strings[row];
    if (is_nested(expr.type())) {
      ASSERT(is_nested_value(nested_type(expr.details()), column.strings[row]));
    }
  }
  for (const RowError& error : errors) {
    ASSERT(error.row < rows().rows() && column.nulls[error.row] != 0);
    out += " | " + std::to_string(error.row) + error.reason;
  }
  return out;
}

void round_trip(const proto::Expr& expr) {
  std::vector<std::string> names;
  for (const NamedColumn& column : kSchema) names.push_back(column.name);
  const std::string text = to_sql(expr, names);
  const auto again = parse_expression(text, kSchema);
  // The canonical text may be longer than what may be written.
  if (!again.ok() && text.size() > 4096) return;
  ASSERT(again.ok());
  ASSERT(to_sql(*again, names) == text);
  ASSERT(values(*again) == values(expr));
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto bytes = fuzz::copy_of(data, size);
  const auto expr = parse_expression(fuzz::text_of(bytes.data(), bytes.size()), fuzz::kSchema);
  if (expr.ok()) fuzz::round_trip(*expr);
  return 0;
}
