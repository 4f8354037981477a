// Footers that say more than they are: what decoding them would take is known before.
#include "shared/parquet/parquet_footer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <vector>

#include "tests/unit/parquet/memory_file.h"

namespace tidemill::test {
namespace {

constexpr int kI32 = 5;
constexpr int kI64 = 6;
constexpr int kBinary = 8;
constexpr int kList = 9;
constexpr int kStruct = 12;

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}

// A message in the compact protocol; fields in ascending order, no two more than 15 apart.
class Encoded {
 public:
  Encoded& number(int field, int64_t value, int wire = kI32) {
    return add(field, wire, varint(static_cast<uint64_t>(value) << 1));
  }
  Encoded& text(int field, const std::string& value) {
    return add(field, kBinary, varint(value.size()) + value);
  }
  Encoded& list(int field, const std::vector<std::string>& elements, int wire = kStruct) {
    std::string out = list_head(elements.size(), wire);
    for (const std::string& element : elements) out += element;
    return add(field, kList, out);
  }
  Encoded& add(int field, int wire, const std::string& value) {
    out_.push_back(static_cast<char>(((field - last_) << 4) | wire));
    out_ += value;
    last_ = field;
    return *this;
  }
  std::string end() const { return out_ + '\0'; }

  static std::string list_head(uint64_t size, int wire) {
    return std::string(1, static_cast<char>(0xf0 | wire)) + varint(size);
  }

 private:
  std::string out_;
  int last_ = 0;
};

std::string group(const std::string& name, int fields) {
  return Encoded().number(3, 1).text(4, name).number(5, fields).end();
}
std::string leaf(const std::string& name) {
  return Encoded().number(1, 2).number(3, 1).text(4, name).end();  // an optional INT64
}

// The elements behind the root, of which `fields` are its own.
Encoded file_with(int fields, const std::vector<std::string>& elements) {
  std::vector<std::string> schema{group("schema", fields)};
  schema.insert(schema.end(), elements.begin(), elements.end());
  return Encoded().number(1, 2).list(2, schema).number(3, 0, kI64);
}

std::string in_file(const std::string& footer) {
  const auto size = static_cast<uint32_t>(footer.size());
  std::string out = "PAR1" + footer;
  out.append(reinterpret_cast<const char*>(&size), sizeof size);
  return out + "PAR1";
}

std::string refused(const std::string& footer, ErrorCode code) {
  MemoryInput file(in_file(footer));
  const auto checked = check_parquet(&file);
  if (checked.ok()) return "";
  EXPECT_EQ(checked.error().code(), code) << checked.error().message();
  return checked.error().message();
}

// Row groups with columns that say nothing but that they are there: three bytes each.
std::string chunks(size_t groups, size_t columns) {
  const std::string chunk = Encoded().number(2, 0, kI64).end();
  const std::string row_group = Encoded()
                                    .list(1, std::vector<std::string>(columns, chunk))
                                    .number(2, 0, kI64)
                                    .number(3, 0, kI64)
                                    .end();
  return file_with(1, {leaf("n")}).list(4, std::vector<std::string>(groups, row_group)).end();
}

constexpr char kTooMuch[] =
    "its footer lists columns and row groups that would take more than 512 MB of memory; write "
    "larger row groups, or fewer columns";

TEST(ParquetFooter, ColumnsOfRowGroupsAreBounded) {
  EXPECT_EQ(refused(chunks(1000, 100), ErrorCode::kUser), "");
  const std::string many = chunks(1000, 1000);
  EXPECT_LT(many.size(), 4u << 20);
  EXPECT_EQ(refused(many, ErrorCode::kUser), kTooMuch);
}

// The path of each column has the names of all groups that it is in.
TEST(ParquetFooter, PathsOfColumnsAreBounded) {
  const auto with_name_of = [](size_t bytes) {
    std::vector<std::string> elements{group(std::string(bytes, 'g'), 1000)};
    for (int i = 0; i < 1000; ++i) elements.push_back(leaf("n"));
    return file_with(1, elements).list(4, {}).end();
  };
  EXPECT_EQ(refused(with_name_of(1000), ErrorCode::kUser), "");
  EXPECT_EQ(refused(with_name_of(1 << 20), ErrorCode::kUser), kTooMuch);
}

TEST(ParquetFooter, MetadataIsBounded) {
  const std::string pair = Encoded().text(1, "").end();
  const std::string footer = file_with(1, {leaf("n")})
                                 .list(4, {})
                                 .list(5, std::vector<std::string>(4'500'000, pair))
                                 .end();
  EXPECT_LT(footer.size(), kMaxFooterBytes);
  EXPECT_EQ(refused(footer, ErrorCode::kUser), kTooMuch);
}

TEST(ParquetFooter, AFooterThatIsTooLargeIsNotRead) {
  const std::string footer =
      file_with(1, {leaf("n")}).list(4, {}).text(6, std::string(kMaxFooterBytes, 'x')).end();
  EXPECT_EQ(refused(footer, ErrorCode::kUser),
            "its footer has " + std::to_string(footer.size()) +
                " bytes, and may have 16777216; write larger row groups, or fewer columns");
}

// Whoever decodes it makes room first, and takes the elements for what they should be.
TEST(ParquetFooter, ListsAreAsLongAndOfTheTypeThatTheySay) {
  const auto with_groups = [](const std::string& list) {
    return file_with(1, {leaf("n")}).add(4, kList, list).end();
  };
  EXPECT_EQ(refused(with_groups(Encoded::list_head(1'000'000, kStruct)), ErrorCode::kCorrupt),
            "its footer is damaged: a list is longer than the footer");
  EXPECT_EQ(refused(with_groups(Encoded::list_head(3, kI32) + varint(1) + varint(1) + varint(1)),
                    ErrorCode::kCorrupt),
            "its footer is damaged: a list is of another type");
  EXPECT_EQ(refused(with_groups(Encoded::list_head(1, kStruct) + "\x18\x7f"), ErrorCode::kCorrupt),
            "its footer is damaged: it ends within a value");
  std::string deep = std::string(100, '\x1c') + std::string(101, '\0');
  EXPECT_EQ(refused(deep, ErrorCode::kCorrupt), "its footer is damaged: it is nested too deeply");
  EXPECT_EQ(refused("\x1d", ErrorCode::kCorrupt), "its footer is damaged: it ends within a value");
  EXPECT_EQ(refused(std::string("\x1f\0", 2), ErrorCode::kCorrupt),
            "its footer is damaged: a value has no known type");
}

TEST(ParquetFooter, AFileThatWasWrittenHasAGoodOne) {
  ParquetValues values;
  values.items.type = ColumnType::kInt64;
  values.items.nulls = {0, 0};
  values.items.ints = {1, 2};
  MemoryOutput out;
  auto writer = open_parquet_writer(&out, nullptr, {{"n", ColumnType::kInt64}});
  ASSERT_TRUE(writer.ok());
  const ParquetValues* const columns[] = {&values};
  ASSERT_TRUE((*writer)->write(2, nullptr, columns).ok());
  ASSERT_TRUE((*writer)->finish().ok());
  MemoryInput file(out.out);
  EXPECT_TRUE(check_parquet(&file).ok());
}

RC_GTEST_PROP(ParquetFooter, DamageIsAnErrorOrNothing, ()) {
  static const std::string whole = chunks(5, 5);
  std::string footer = whole;
  const auto places =
      *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, footer.size()));
  for (const size_t at : places) footer[at] = *rc::gen::arbitrary<char>();
  footer.resize(*rc::gen::inRange<size_t>(0, footer.size() + 1));
  (void)check_footer(footer);
}

// Arrow gives no column for a group without fields: the others would be taken for it.
TEST(ParquetFooter, AGroupWithoutFieldsIsRefused) {
  const auto selected = [](const std::vector<std::string>& elements,
                           const std::vector<ParquetWanted>& wanted, bool all) -> std::string {
    const std::string footer = file_with(2, elements).list(4, {}).end();
    auto reader = open_parquet_reader(std::make_unique<MemoryInput>(in_file(footer)));
    if (!reader.ok()) return "not opened: " + reader.error().message();
    const Status status = (*reader)->select(wanted, all);
    return status.ok() ? "" : status.error().message();
  };
  const std::string message =
      "column 'g' is, or has in it, a group without fields; write the file without that";
  const std::vector<std::string> empty{group("g", 0), leaf("n")};
  EXPECT_EQ(selected(empty, {{"g", ColumnType::kJson}}, false), message);
  EXPECT_EQ(selected(empty, {{"n", ColumnType::kInt64}}, false), "");
  EXPECT_EQ(selected(empty, {{"n", ColumnType::kInt64}}, true), message);
  const std::vector<std::string> nested{leaf("n"), group("g", 2), leaf("a"), group("b", 0)};
  EXPECT_EQ(selected(nested, {{"g", ColumnType::kJson}}, false), message);
  EXPECT_EQ(selected(nested, {}, true), message);
  EXPECT_EQ(selected({leaf("n"), group("g", 1), leaf("a")}, {}, true), "");
}

}  // namespace
}  // namespace tidemill::test
