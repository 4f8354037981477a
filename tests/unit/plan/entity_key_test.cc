#include "shared/plan/entity_key.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

using Types = std::vector<ColumnType>;

struct Part {
  ColumnType type;
  int64_t number;
  std::string text;
};

std::string key_of(const std::vector<Part>& parts) {
  if (parts.size() == 1 && parts[0].type == ColumnType::kString) return parts[0].text;
  std::string out;
  for (const Part& p : parts) {
    p.type == ColumnType::kString ? append_key_string(p.text, &out)
                                  : append_key_int(p.number, &out);
  }
  return out;
}

Types types_of(const std::vector<Part>& parts) {
  Types out;
  for (const Part& p : parts) out.push_back(p.type);
  return out;
}

TEST(EntityKey, OneStringIsItsOwnBytes) {
  EXPECT_TRUE(is_plain_string_key({ColumnType::kString}));
  EXPECT_FALSE(is_plain_string_key({ColumnType::kInt64}));
  EXPECT_FALSE(is_plain_string_key({ColumnType::kString, ColumnType::kString}));
  EXPECT_FALSE(is_plain_string_key({}));
  const auto parts = split_key("596", {ColumnType::kString});
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_EQ(parts[0].string_value, "596");
  EXPECT_EQ(split_key("", {ColumnType::kString}).size(), 1u);
}

// The bytes that docs/formats/entity_key.md describes: routing and stored state depend on them.
TEST(EntityKey, HasTheDocumentedBytes) {
  std::string out;
  append_key_int(0x0102030405060708, &out);
  append_key_string("ab", &out);
  append_key_int(-1, &out);
  EXPECT_EQ(out, std::string("\x08\x07\x06\x05\x04\x03\x02\x01"
                             "\x02\0\0\0ab"
                             "\xff\xff\xff\xff\xff\xff\xff\xff",
                             22));
}

std::vector<Part> any_parts(const Types& types) {
  std::vector<Part> parts;
  for (const ColumnType type : types) {
    parts.push_back({type, *rc::gen::arbitrary<int64_t>(),
                     *rc::gen::resize(4, rc::gen::arbitrary<std::string>())});
    if (type == ColumnType::kString) parts.back().number = 0;
    if (type != ColumnType::kString) parts.back().text.clear();
  }
  return parts;
}

Types any_types() {
  Types types(*rc::gen::inRange<size_t>(1, 4));
  for (ColumnType& t : types) {
    t = *rc::gen::element(ColumnType::kBool, ColumnType::kInt32, ColumnType::kInt64,
                          ColumnType::kString, ColumnType::kString, ColumnType::kTimestamp);
  }
  return types;
}

RC_GTEST_PROP(EntityKey, SplitsIntoWhatItWasMadeOf, ()) {
  const std::vector<Part> parts = any_parts(any_types());
  const std::string key = key_of(parts);
  const auto got = split_key(key, types_of(parts));
  RC_ASSERT(got.size() == parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    RC_ASSERT(got[i].type == parts[i].type);
    RC_ASSERT(got[i].int_value == parts[i].number);
    RC_ASSERT(got[i].string_value == parts[i].text);
  }
}

RC_GTEST_PROP(EntityKey, DifferentKeysHaveDifferentBytes, ()) {
  const Types types = any_types();
  const auto a = any_parts(types);
  const auto b = any_parts(types);
  bool same = true;
  for (size_t i = 0; i < types.size(); ++i) {
    same = same && a[i].number == b[i].number && a[i].text == b[i].text;
  }
  RC_ASSERT((key_of(a) == key_of(b)) == same);
}

TEST(EntityKey, PartsDoNotRunTogether) {
  const Types two{ColumnType::kString, ColumnType::kString};
  const Part a{ColumnType::kString, 0, "a"}, ab{ColumnType::kString, 0, "ab"};
  const Part b{ColumnType::kString, 0, "b"}, none{ColumnType::kString, 0, ""};
  EXPECT_NE(key_of({a, b}), key_of({ab, none}));
  EXPECT_NE(key_of({none, ab}), key_of({ab, none}));
}

TEST(EntityKey, BytesOfAnotherKeyGiveNoParts) {
  const Types types{ColumnType::kInt64, ColumnType::kString};
  std::string key;
  append_key_int(5, &key);
  append_key_string("abc", &key);
  ASSERT_EQ(split_key(key, types).size(), 2u);
  EXPECT_TRUE(split_key(key.substr(0, key.size() - 1), types).empty());
  EXPECT_TRUE(split_key(key + "x", types).empty());
  EXPECT_TRUE(split_key("", types).empty());
  EXPECT_TRUE(split_key(key, {ColumnType::kInt64}).empty());
}

RC_GTEST_PROP(EntityKey, AnyBytesSplitOrDoNot, (const std::string& bytes)) {
  const Types types = any_types();
  const auto got = split_key(bytes, types);
  if (got.empty()) return;
  std::vector<Part> parts;
  for (const KeyPart& p : got) parts.push_back({p.type, p.int_value, std::string(p.string_value)});
  RC_ASSERT(key_of(parts) == bytes);
}

}  // namespace
}  // namespace tidemill
