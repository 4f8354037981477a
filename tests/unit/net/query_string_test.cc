#include "shared/net/query_string.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

using Query = std::map<std::string, std::string>;

TEST(PercentDecode, TakesEscapesAndLeavesTheRest) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},
      {"abc", "abc"},
      {"a%2Fb", "a/b"},
      {"%2f%41", "/A"},
      {"%", "%"},
      {"a%4", "a%4"},
      {"%zz", "%zz"},
      {"%4g", "%4g"},
      {"%%41", "%A"},
      {"a+b", "a+b"},
      {"%E4%BD%A0", "\xe4\xbd\xa0"},
      {"100%25", "100%"},
      {"%252F", "%2F"},  // once only
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(percent_decode(text), want) << text;
  EXPECT_EQ(percent_decode("a%00b"), std::string("a\0b", 3));
}

TEST(PercentEncode, KeepsUnreservedCharactersOnly) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("/a b?c=d&e+%"), "%2Fa%20b%3Fc%3Dd%26e%2B%25");
  EXPECT_EQ(percent_encode("\xff"), "%FF");
  EXPECT_EQ(percent_encode(std::string_view("\0", 1)), "%00");
  EXPECT_EQ(percent_encode("a/b c+d=%\xc3\xa4"), "a%2Fb%20c%2Bd%3D%25%C3%A4");
  EXPECT_EQ(percent_encode("aZ0-._~/", "/"), "aZ0-._~/") << "a path keeps its slashes";
}

RC_GTEST_PROP(PercentEncode, DecodesToTheSameBytes, ()) {
  const auto bytes = *rc::gen::arbitrary<std::vector<uint8_t>>();
  const std::string text(bytes.begin(), bytes.end());
  RC_ASSERT(percent_decode(percent_encode(text)) == text);
}

TEST(ParseQuery, SplitsAndDecodes) {
  const std::vector<std::pair<std::string, Query>> cases{
      {"/v1/jobs", {}},
      {"/v1/jobs?", {}},
      {"/p?a=1", {{"a", "1"}}},
      {"/p?a=1&b=2", {{"a", "1"}, {"b", "2"}}},
      {"/p?a=1&a=2", {{"a", "2"}}},  // of a repeated one the last
      {"/p?a", {{"a", ""}}},
      {"/p?a=", {{"a", ""}}},
      {"/p?=1", {{"", "1"}}},
      {"/p?a=b=c", {{"a", "b=c"}}},
      {"/p?&&a=1&", {{"a", "1"}}},
      {"/p?base_dir=%2Fhome%2Fa%26b", {{"base_dir", "/home/a&b"}}},
      {"/p?a%3Db=1", {{"a=b", "1"}}},
      {"/p?a=1?2", {{"a", "1?2"}}},
  };
  for (const auto& [target, want] : cases) EXPECT_EQ(parse_query(target), want) << target;
}

RC_GTEST_PROP(ParseQuery, ReadsBackAnyParameters, (const Query& query)) {
  std::string target = "/p?";
  for (const auto& [name, value] : query) {
    target += percent_encode(name) + "=" + percent_encode(value) + "&";
  }
  RC_ASSERT(parse_query(target) == query);
}

RC_GTEST_PROP(ParseQuery, TakesAnyTarget, (const std::string& target)) {
  RC_ASSERT(parse_query(target).empty() || target.find('?') != std::string::npos);
}

}  // namespace
}  // namespace tidemill
