// What the writer gathers is what the view shows, and no bytes make the view leave its block.
#include "shared/columns/row_block.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shared/base/buffer.h"
#include "shared/columns/row_block_writer.h"

namespace tidemill {
namespace {

// Columns of every type, a table's worth of rows to gather from.
struct Source {
  std::vector<uint64_t> hashes;
  std::vector<TimeUs> times;
  std::vector<std::string> key_text;
  std::vector<std::string_view> keys;
  std::vector<std::string> text;
  std::vector<Column> columns;
  std::vector<Column> filters;
  std::vector<const Column*> column_pointers;
  std::vector<const Column*> filter_pointers;

  BlockRows rows(std::span<const uint32_t> chosen) const {
    return {chosen, hashes, times, keys, column_pointers, filter_pointers};
  }
};

Column random_column(ColumnType type, size_t n, bool nulls, const std::vector<std::string>& text) {
  Column c;
  c.type = type;
  for (size_t i = 0; i < n; ++i) {
    c.nulls.push_back(nulls && *rc::gen::inRange(0, 3) == 0);
    c.bools.push_back(*rc::gen::inRange<uint8_t>(0, 2));
    c.ints.push_back(*rc::gen::arbitrary<int64_t>());
    c.doubles.push_back(*rc::gen::arbitrary<double>());
    c.strings.push_back(text[i]);
  }
  return c;
}

void random_source(Source* s) {
  const auto n = *rc::gen::inRange<size_t>(0, 140);
  for (size_t i = 0; i < n; ++i) {
    s->hashes.push_back(*rc::gen::arbitrary<uint64_t>());
    s->times.push_back(*rc::gen::arbitrary<int64_t>());
    s->key_text.push_back(*rc::gen::resize(6, rc::gen::arbitrary<std::string>()));
    s->text.push_back(*rc::gen::resize(9, rc::gen::arbitrary<std::string>()));
  }
  s->keys.assign(s->key_text.begin(), s->key_text.end());
  for (int type = 1; type <= 6; ++type) {
    s->columns.push_back(
        random_column(static_cast<ColumnType>(type), n, *rc::gen::arbitrary<bool>(), s->text));
  }
  const auto filters = *rc::gen::inRange(0, 3);
  for (int f = 0; f < filters; ++f) {
    s->filters.push_back(random_column(ColumnType::kBool, n, true, s->text));
  }
  for (const Column& c : s->columns) s->column_pointers.push_back(&c);
  for (const Column& c : s->filters) s->filter_pointers.push_back(&c);
}

std::vector<uint32_t> random_choice(size_t n) {
  if (n == 0) return {};
  return *rc::gen::container<std::vector<uint32_t>>(
      rc::gen::inRange<uint32_t>(0, static_cast<uint32_t>(n)));
}

bool same_value(const Column& column, uint32_t from, const RowBlockColumn& got, uint32_t row) {
  if (got.type != column.type || got.is_null(row) != (column.nulls[from] != 0)) return false;
  switch (column.type) {
    case ColumnType::kBool:
      return got.bool_at(row) == (column.bools[from] != 0);
    case ColumnType::kDouble:
      return std::memcmp(&got.doubles[row], &column.doubles[from], 8) == 0;
    case ColumnType::kString:
      return got.string_at(row) == column.strings[from];
    default:
      return got.ints[row] == column.ints[from];
  }
}

RC_GTEST_PROP(RowBlock, ReadsBackAsTheRowsGathered, ()) {
  Source s;
  random_source(&s);
  const std::vector<uint32_t> chosen = random_choice(s.keys.size());
  ByteWriter out;
  out.put(uint8_t{1});  // a block starts at the next multiple of 8
  write_row_block(513, s.rows(chosen), &out);
  RC_ASSERT(out.size() % 8 == 0u);
  const Buffer bytes(out.take());
  const auto block = RowBlockView::parse(bytes.bytes().subspan(8));
  RC_ASSERT(block.ok());
  RC_ASSERT(block->byte_size() == bytes.size() - 8);
  RC_ASSERT(block->table() == 513);
  RC_ASSERT(block->rows() == chosen.size());
  RC_ASSERT(block->columns().size() == s.columns.size());
  RC_ASSERT(block->filter_count() == s.filters.size());
  for (uint32_t row = 0; row < chosen.size(); ++row) {
    const uint32_t from = chosen[row];
    RC_ASSERT(block->key_hashes()[row] == s.hashes[from]);
    RC_ASSERT(block->event_times()[row] == s.times[from]);
    RC_ASSERT(block->key(row) == s.keys[from]);
    for (size_t c = 0; c < s.columns.size(); ++c) {
      RC_ASSERT(same_value(s.columns[c], from, block->columns()[c], row));
    }
    for (size_t f = 0; f < s.filters.size(); ++f) {
      const bool passes = s.filters[f].nulls[from] == 0 && s.filters[f].bools[from] != 0;
      RC_ASSERT(block->passes(f, row) == passes);
    }
  }
}

// Touches everything a view gives access to: the sanitizers see a pointer that leaves the block.
uint64_t touch(const RowBlockView& block) {
  uint64_t sum = 0;
  for (uint32_t row = 0; row < block.rows(); ++row) {
    sum += block.key_hashes()[row] + static_cast<uint64_t>(block.event_times()[row]);
    for (const char c : block.key(row)) sum += static_cast<uint8_t>(c);
    for (const RowBlockColumn& c : block.columns()) {
      sum += c.is_null(row);
      if (c.type == ColumnType::kBool) sum += c.bool_at(row);
      if (c.doubles != nullptr) sum += c.doubles[row] != 0;
      if (c.ints != nullptr) sum += static_cast<uint64_t>(c.ints[row]);
      if (c.type == ColumnType::kString) {
        for (const char byte : c.string_at(row)) sum += static_cast<uint8_t>(byte);
      }
    }
    for (size_t f = 0; f < block.filter_count(); ++f) sum += block.passes(f, row);
  }
  return sum;
}

bool lies_within(const void* at, size_t size, std::span<const uint8_t> bytes) {
  const auto* begin = static_cast<const uint8_t*>(at);
  return size == 0 || (begin >= bytes.data() && begin + size <= bytes.data() + bytes.size());
}

RC_GTEST_PROP(RowBlock, HostileBytesAreRefusedOrStayInside, ()) {
  Source s;
  random_source(&s);
  ByteWriter out;
  write_row_block(1, s.rows(random_choice(s.keys.size())), &out);
  std::vector<uint8_t> bytes = out.take();
  const auto flips = *rc::gen::inRange(0, 6);
  for (int i = 0; i < flips; ++i) {
    // Half of the flips go for the header and the counts.
    const bool front = *rc::gen::arbitrary<bool>();
    const size_t end = front ? std::min<size_t>(bytes.size(), 24) : bytes.size();
    bytes[*rc::gen::inRange<size_t>(0, end)] ^= static_cast<uint8_t>(1u << *rc::gen::inRange(0, 8));
  }
  if (*rc::gen::inRange(0, 3) == 0) bytes.resize(*rc::gen::inRange<size_t>(0, bytes.size() + 1));
  // An exact allocation, so that one byte past the end is noticed.
  const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
  const auto block = RowBlockView::parse(exact);
  if (!block.ok()) {
    RC_ASSERT(block.error().code() == ErrorCode::kCorrupt);
    return;
  }
  RC_ASSERT(block->byte_size() <= exact.size());
  const uint32_t rows = block->rows();
  RC_ASSERT(lies_within(block->key_hashes().data(), rows * 8, exact));
  for (const RowBlockColumn& c : block->columns()) {
    if (c.ints != nullptr) RC_ASSERT(lies_within(c.ints, rows * 8, exact));
    if (c.doubles != nullptr) RC_ASSERT(lies_within(c.doubles, rows * 8, exact));
    if (c.type == ColumnType::kString && rows > 0) {
      RC_ASSERT(lies_within(c.string_bytes, c.string_ends[rows - 1], exact));
    }
  }
  static_cast<void>(touch(*block));
}

std::vector<uint8_t> one_row() {
  Source s;
  s.hashes = {1};
  s.times = {2};
  s.key_text = {"key"};
  s.keys = {s.key_text[0]};
  Column c;
  c.type = ColumnType::kString;
  c.nulls = {0};
  c.strings = {"value"};
  s.column_pointers = {&c};
  const std::vector<uint32_t> rows{0};
  ByteWriter out;
  write_row_block(7, s.rows(rows), &out);
  return out.take();
}

struct Damage {
  const char* what;
  size_t at;
  uint8_t value;
  const char* message;
};

TEST(RowBlock, SaysWhatIsWrong) {
  ASSERT_TRUE(RowBlockView::parse(one_row()).ok());
  const std::vector<Damage> cases{
      {"another version", 14, 2, "row block: version 2, this build reads 1"},
      {"longer than the bytes", 1, 1, "row block: length or row count out of range"},
      {"shorter than its header", 0, 8, "row block: length or row count out of range"},
      {"an odd length", 0, 81, "row block: length or row count out of range"},
      {"too many rows", 11, 1, "row block: length or row count out of range"},
      {"more rows than it holds", 8, 9, "row block: keys do not fit its length"},
      {"keys longer than the block", 32, 200, "row block: keys do not fit its length"},
      {"more columns than bytes", 7, 9, "row block: more columns than bytes"},
      {"more filters than bytes", 13, 9, "row block: more columns than bytes"},
      {"a type within expressions only", 48, 10, "row block: a column does not fit its length"},
      {"type 0", 48, 0, "row block: a column does not fit its length"},
      {"strange nulls", 49, 2, "row block: a column does not fit its length"},
      {"one column fewer", 6, 0, "row block: length does not match contents"},
      {"a filter that is not there", 12, 1, "row block: length does not match contents"},
  };
  for (const Damage& d : cases) {
    std::vector<uint8_t> bytes = one_row();
    ASSERT_LT(d.at, bytes.size()) << d.what;
    bytes[d.at] = d.value;
    const auto block = RowBlockView::parse(bytes);
    ASSERT_FALSE(block.ok()) << d.what;
    EXPECT_EQ(block.error().message(), d.message) << d.what;
  }
  const std::vector<uint8_t> whole = one_row();
  EXPECT_EQ(RowBlockView::parse(std::span(whole).first(15)).error().message(),
            "row block: shorter than its header");
  std::vector<uint8_t> shifted(4, 0);
  shifted.insert(shifted.end(), whole.begin(), whole.end());
  EXPECT_EQ(RowBlockView::parse(std::span(shifted).subspan(4)).error().message(),
            "row block: not at a multiple of 8 bytes");
}

TEST(RowBlock, RefusesEndsThatFall) {
  Source s;
  s.hashes = {1, 2};
  s.times = {1, 2};
  s.key_text = {"abcd", "ef"};
  s.keys = {s.key_text[0], s.key_text[1]};
  const std::vector<uint32_t> rows{0, 1};
  ByteWriter out;
  write_row_block(0, s.rows(rows), &out);
  std::vector<uint8_t> bytes = out.take();
  const size_t ends = 16 + 2 * 8 + 2 * 8;
  ASSERT_EQ(bytes[ends], 4);
  ASSERT_EQ(bytes[ends + 4], 6);
  bytes[ends + 4] = 3;
  EXPECT_FALSE(RowBlockView::parse(bytes).ok());
}

TEST(RowBlock, IgnoresWhatFollowsIt) {
  std::vector<uint8_t> bytes = one_row();
  const size_t size = bytes.size();
  bytes.resize(size + 24, 0xff);
  const auto block = RowBlockView::parse(bytes);
  ASSERT_TRUE(block.ok());
  EXPECT_EQ(block->byte_size(), size);
}

}  // namespace
}  // namespace tidemill
