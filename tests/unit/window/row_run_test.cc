// Row runs: what is written is read again, and bytes that are none are refused.
#include "shared/window/row_run.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <limits>

#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

// Rows as text, NaNs by their bits.
std::string show_row(const RowInput& row, const TableSchema& schema) {
  std::string out = std::to_string(row.time);
  for (uint32_t f = 0; f < schema.filters; ++f) {
    out += (row.filters[f / 64] >> (f % 64) & 1) != 0 ? " pass" : " -";
  }
  for (size_t c = 0; c < schema.columns.size(); ++c) {
    const RowBlockColumn& column = row.columns[c];
    out += " ";
    if (column.is_null(row.row)) {
      out += "null";
      continue;
    }
    switch (schema.columns[c]) {
      case ColumnType::kBool:
        out += column.bool_at(row.row) ? "true" : "false";
        break;
      case ColumnType::kDouble:
        out += std::to_string(std::bit_cast<uint64_t>(column.doubles[row.row]));
        break;
      case ColumnType::kString:
        out += "'" + std::string(column.string_at(row.row)) + "'";
        break;
      default:
        out += std::to_string(column.ints[row.row]);
    }
  }
  return out;
}

std::vector<std::string> show_block(const RowBlockView& block, const TableSchema& schema) {
  std::vector<std::string> out;
  for (uint32_t row = 0; row < block.rows(); ++row) {
    std::vector<uint64_t> filters((schema.filters + 63) / 64);
    for (uint32_t f = 0; f < schema.filters; ++f) {
      if (block.passes(f, row)) filters[f / 64] |= uint64_t{1} << (f % 64);
    }
    out.push_back(
        show_row({block.event_times()[row], block.columns().data(), row, filters.data()}, schema));
  }
  return out;
}

std::vector<std::string> show_run(std::span<const uint8_t> run, const TableSchema& schema) {
  RowRunReader reader(schema);
  reader.begin(run);
  std::vector<std::string> out;
  for (RowInput row; reader.next(&row);) out.push_back(show_row(row, schema));
  EXPECT_TRUE(reader.ok());
  return out;
}

RC_GTEST_PROP(RowRun, IsReadAsItWasWritten, ()) {
  Random random(any_seed());
  TableSchema schema = every_type_schema(1000);
  schema.filters = static_cast<uint32_t>(random() % 70);
  const RowShape shape{static_cast<int>(random() % 4), static_cast<int>(random() % 3),
                       static_cast<int>(random() % 3) * 30, static_cast<int>(random() % 2) * 20};
  const auto rows = random_rows(1 + random() % 50, shape, schema, &random);
  const auto bytes = encode_block(0, schema, keyed(rows, "k", schema));
  const auto block = *RowBlockView::parse(bytes);
  RowRunWriter writer(schema);
  for (int run = 0; run < 2; ++run) {  // a writer is used again
    writer.begin();
    for (uint32_t row = 0; row < block.rows(); ++row) writer.add(block, row);
    RC_ASSERT(show_run(writer.bytes(), schema) == show_block(block, schema));
  }
}

// The first row, and one behind it.
size_t run_bytes(std::initializer_list<TimeUs> times) {
  const TableSchema schema = one_double_schema(1000);
  std::vector<Row> rows;
  for (const TimeUs time : times) rows.push_back({time, {1.5}, {}});
  const auto bytes = encode_block(0, schema, keyed(rows, "k", schema));
  const auto block = *RowBlockView::parse(bytes);
  RowRunWriter writer(schema);
  writer.begin();
  for (uint32_t row = 0; row < block.rows(); ++row) writer.add(block, row);
  EXPECT_EQ(show_run(writer.bytes(), schema), show_block(block, schema));
  return writer.bytes().size();
}

TEST(RowRun, IsSmall) {
  EXPECT_EQ(run_bytes({kStart}), 13u);                                 // in seconds
  EXPECT_EQ(run_bytes({kStart + 1000}), 15u);                          // in milliseconds
  EXPECT_EQ(run_bytes({kStart + 1}), 16u);                             // in microseconds
  EXPECT_EQ(run_bytes({kStart, kStart + kMicrosPerSecond}), 13u + 9);  // a second later
  EXPECT_EQ(run_bytes({kStart, kStart - kMicrosPerDay}), 13u + 11);    // a day before
  EXPECT_EQ(run_bytes({kMinTime}), 17u);
  EXPECT_EQ(run_bytes({kMaxTime, kMinTime, kMaxTime}), 3 * 17u);
}

RC_GTEST_PROP(RowRun, HostileBytesAreRefusedOrAreRows, ()) {
  Random random(any_seed());
  const TableSchema schema = every_type_schema(1000);
  const auto rows = random_rows(5, {static_cast<int>(random() % 4), 2, 20, 0}, schema, &random);
  const auto bytes = encode_block(0, schema, keyed(rows, "k", schema));
  const auto block = *RowBlockView::parse(bytes);
  RowRunWriter writer(schema);
  writer.begin();
  for (uint32_t row = 0; row < block.rows(); ++row) writer.add(block, row);
  std::vector<uint8_t> run(writer.bytes().begin(), writer.bytes().end());
  switch (random() % 3) {
    case 0:
      run[random() % run.size()] ^= static_cast<uint8_t>(1 << random() % 8);
      break;
    case 1:
      run.resize(random() % run.size());
      break;
    default:
      for (uint8_t& byte : run) byte = static_cast<uint8_t>(random());
  }
  const std::vector<uint8_t> exact(run);  // so that a read behind it is noticed
  RowRunReader reader(schema);
  reader.begin(exact);
  size_t read = 0;
  for (RowInput row; reader.next(&row); ++read) RC_ASSERT(!show_row(row, schema).empty());
  RC_ASSERT(read <= exact.size());
}

}  // namespace
}  // namespace tidemill::testing
