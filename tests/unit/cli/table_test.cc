#include "cli/table.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/feature_table.h"

namespace tidemill::cli {
namespace {

TEST(Table, AlignsColumns) {
  Table table({"NAME", "COUNT", "STATE"});
  table.align_right(1);
  table.add({"a", "7", "ok"});
  table.add({"longer", "1234567", ""});
  EXPECT_EQ(table.render(),
            "NAME      COUNT  STATE\n"
            "a             7  ok\n"
            "longer  1234567\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({"K", "V"});
  table.add({"Zoë", "1"});
  table.add({"abc", "2"});
  EXPECT_EQ(table.render(),
            "K    V\n"
            "Zoë  1\n"
            "abc  2\n");
}

TEST(Table, DoesNotPassOnWhatATerminalObeys) {
  Table table({"K"});
  table.add({"a\x1b[2Jb\nc\x7f"});
  EXPECT_EQ(table.render(), "K\na?[2Jb?c?\n");
}

RC_GTEST_PROP(Table, EveryRowIsOneLine, (const std::vector<std::string>& cells)) {
  Table table({"A", "B"});
  for (const std::string& cell : cells) table.add({cell, "x"});
  const std::string text = table.render();
  RC_ASSERT(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) == cells.size() + 1);
}

TEST(WithSeparators, GroupsByThousands) {
  EXPECT_EQ(with_separators(0), "0");
  EXPECT_EQ(with_separators(999), "999");
  EXPECT_EQ(with_separators(1000), "1,000");
  EXPECT_EQ(with_separators(123456), "123,456");
  EXPECT_EQ(with_separators(1234567), "1,234,567");
}

TEST(FeatureTable, ShowsValuesAndWhyThereAreNone) {
  const auto answer = nlohmann::json::parse(R"({
    "job": "card_fraud", "as_of": "2018-04-10T00:00:00Z",
    "results": [
      {"feature": "customer.count_1h", "values": [3, 0, null],
       "statuses": ["PRESENT", "NOT_FOUND", "NOT_READY"], "freshness_ms": [12, 1234, null]},
      {"feature": "customer.amount_mean_1d", "values": [17.25, null, null],
       "statuses": ["PRESENT", "NOT_FOUND", "NOT_READY"], "freshness_ms": [12, 15, null]}]})");
  const std::vector<std::string> rows{"customer_id=596", "customer_id=1", "customer_id=2"};
  EXPECT_EQ(feature_table(answer, rows, nullptr),
            "as of 2018-04-10T00:00:00Z, fresh to 1,234 ms\n"
            "FEATURE                  customer_id=596   customer_id=1  customer_id=2\n"
            "customer.count_1h                      3     0 (no rows)    (not ready)\n"
            "customer.amount_mean_1d            17.25  null (no rows)    (not ready)\n");

  auto before = answer;
  before["results"][0]["values"][0] = 2;
  EXPECT_EQ(feature_table(answer, {"id=596"}, before),
            "as of 2018-04-10T00:00:00Z, fresh to 1,234 ms\n"
            "FEATURE                  id=596\n"
            "customer.count_1h            3*\n"
            "customer.amount_mean_1d   17.25\n");
}

TEST(FeatureTable, DecimalsHaveTheirDigits) {
  const auto answer = answer_with_digits(
      R"({"as_of": "2018-04-10T00:00:00Z", "results": [{"feature": "v.a", "values": [12.30]},
          {"feature": "v.b", "values": [12345678901234567890.10]},
          {"feature": "v.c", "values": [[1.50, 2.25]]}, {"feature": "v.d", "values": [{"1.50": 2.50}]},
          {"feature": "v.e", "values": ["\"x"]}]})");
  EXPECT_EQ(feature_table(answer, {"id=1"}, nullptr),
            "as of 2018-04-10T00:00:00Z\n"
            "FEATURE                     id=1\n"
            "v.a                        12.30\n"
            "v.b      12345678901234567890.10\n"
            "v.c                 [1.50, 2.25]\n"
            "v.d                {\"1.50\":2.50}\n"
            "v.e                           \"x\n");
  EXPECT_TRUE(answer_with_digits("no").is_null());
}

TEST(FeatureTable, SaysSinceWhenAValueIsComplete) {
  const auto answer = nlohmann::json::parse(R"({
    "as_of": "2018-04-10T00:00:00Z", "results": [
      {"feature": "v.a", "values": [3, 4], "complete_since_us": [1523404800000000, null]}]})");
  EXPECT_EQ(feature_table(answer, {"id=1", "id=2"}, nullptr),
            "as of 2018-04-10T00:00:00Z\n"
            "FEATURE                                           id=1  id=2\n"
            "v.a      3 (fills: complete from 2018-04-11T00:00:00Z)     4\n");
}

TEST(FeatureTable, ListsAreShownByTheirFirstElements) {
  const auto answer = nlohmann::json::parse(R"({
    "as_of": "2018-04-10T00:00:00Z", "results": [
      {"feature": "v.a", "values": [["x", "y\"z"]]}, {"feature": "v.b", "values": [[1.5, 2.0, 3.0, 4.0, 5.0]]},
      {"feature": "v.c", "values": [[1, 2, 3, 4, 5, 6]]}, {"feature": "v.d", "values": [[]]}]})");
  EXPECT_EQ(feature_table(answer, {"id=1"}, nullptr),
            "as of 2018-04-10T00:00:00Z\n"
            "FEATURE                           id=1\n"
            "v.a                      [\"x\", \"y\\\"z\"]\n"
            "v.b          [1.5, 2.0, 3.0, 4.0, 5.0]\n"
            "v.c      [1, 2, 3, 4, 5, ... 6 in all]\n"
            "v.d                                 []\n");
}

TEST(FeatureTable, BearsAnAnswerThatIsNotOne) {
  EXPECT_EQ(feature_table(nlohmann::json::parse("[1]"), {"a"}, nullptr), "as of \nFEATURE  a\n");
  EXPECT_EQ(feature_table(nlohmann::json::parse(R"({"results":[{"feature":"v.f"}]})"), {"a"}, {}),
            "as of \nFEATURE     a\nv.f      null\n");
}

}  // namespace
}  // namespace tidemill::cli
