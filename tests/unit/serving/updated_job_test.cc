// A store whose job is changed while it runs: what it answers of rows that it did not keep.
#include <gtest/gtest.h>

#include "shared/base/hash.h"
#include "shared/evolution/evolution.h"
#include "shared/plan/entity_key.h"
#include "tests/unit/serving/test_store.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

constexpr int64_t kMinute = 60 * kSecond;

std::string yaml_of(const std::string& windows, const std::string& more = "") {
  return R"(
job: cards
key_partitions: 1
allowed_lateness: 1h
sources:
  transactions:
    max_out_of_orderness: 10s
    stream:
      generator: {partitions: 2, events: 10, seed: 1, customers: 5, terminals: 5, events_per_second: 1}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [)" +
         windows + R"(]}
      - {function: sum, column: amount, windows: [1h]}
)" + more;
}

class UpdatedJob : public testing::Test {
 protected:
  void SetUp() override {
    t_.show({before_});
    const Evolution evolution = evolve(*before_, after_yaml_->proto());
    ASSERT_NE(evolution.plan, nullptr);
    after_ = evolution.plan;
    ASSERT_EQ(after_->tables()->size(), 2u);
    t_.fill(kOnly,
            {block_of({{"a", kStart - 90 * kMinute, 4}, {"a", kStart - 30 * kMinute, 2}, {"a"}})},
            kStart + kSecond, kStart);
  }
  json column(const std::string& feature) {
    const auto got = t_.call(
        "POST", "/v1/features",
        json{{"job", "cards"}, {"features", {feature}}, {"entities", {{"customer_id", {"a"}}}}}
            .dump());
    EXPECT_TRUE(got && got->status == 200) << (got ? got->body : "");
    return got ? json::parse(got->body)["results"][0] : json();
  }
  static json since(TimeUs time) { return json::array({time}); }

  const KeyPartitionId kOnly{0};
  const std::shared_ptr<const Plan> before_ = plan_of(yaml_of("1h"));
  const std::shared_ptr<const Plan> after_yaml_ = plan_of(yaml_of(
      "1h, 3h",
      "      - {name: large, function: sum, column: \"greatest(amount, 1)\", windows: [1h]}\n"));
  std::shared_ptr<const Plan> after_;
  TestStore t_;
};

TEST_F(UpdatedJob, SaysSinceWhenItsAnswersAreComplete) {
  t_.show({after_});
  const json kept = column("customer.count_1h");
  EXPECT_EQ(kept["values"][0], 2);
  EXPECT_FALSE(kept.contains("complete_since_us"));
  // Of what the horizon has let go nothing counts, gone or not.
  const json wider = column("customer.count_3h");
  EXPECT_EQ(wider["values"][0], 2);
  const std::vector<TableSchema>& tables = *after_->tables();
  const TimeUs floor = kept_since(tables[0], kHour, kStart);  // with its bound, whole tiles
  EXPECT_EQ(wider["complete_since_us"], since(floor + 3 * kHour));
  const json other = column("customer.large_1h");
  EXPECT_EQ(other["values"][0], nullptr);
  EXPECT_EQ(other["statuses"][0], "NOT_FOUND");
  const TimeUs first = tile_end_from(tables[1], kStart + kSecond + 1);
  EXPECT_EQ(other["complete_since_us"], since(first + kHour));

  // An owner that has not heard of it yet, and then one that has.
  FramePart rows = TestStore::part(kOnly, PartKind::kRows, 3, 3);
  rows.from_version = 2;
  rows.horizon = kStart;
  rows.current = true;
  rows.advances.push_back({SourcePartitionId(1), {18, kStart + 2 * kSecond, false}});
  t_.send_part(rows);
  rows.seq = 4;
  rows.from_version = 3;
  rows.to_version = 4;
  const TimeUs later = first + 10 * kMinute;
  rows.payload = {block_of({{"a", first, 4}, {"a", later, 3}}, 1)};
  rows.advances[0].position = {19, later, false};
  rows.floors = {{3 * kHour, floor}, {kHour, later}};
  t_.send_part(rows);
  const json grown = column("customer.large_1h");
  EXPECT_EQ(grown["values"][0], 3.0);
  EXPECT_EQ(grown["complete_since_us"], since(later + kHour)) << "and not of what came before";
  // All of a view is of one V.
  const auto all = t_.call("POST", "/v1/features",
                           R"({"job":"cards","features":["customer.*"],"offsets":true,)"
                           R"("entities":{"customer_id":["a","b"]}})");
  ASSERT_TRUE(all && all->status == 200);
  const json results = json::parse(all->body)["results"];
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[3]["feature"], "customer.large_1h");
  EXPECT_EQ(results[3]["statuses"], (json{"PRESENT", "NOT_FOUND"}));
  t_.sim.run_for(500'000);
  const proto::JobReport report = t_.report();
  ASSERT_EQ(report.floors_us_size(), 2);
  EXPECT_EQ(report.floors_us(0), floor);
  EXPECT_EQ(report.floors_us(1), later);
}

TEST_F(UpdatedJob, TakesNoRowsOfATableThatItHasNotHeardOf) {
  FramePart rows = TestStore::part(kOnly, PartKind::kRows, 3, 3);
  rows.from_version = 2;
  rows.horizon = kStart;
  rows.payload = {block_of({{"a", kStart + 3 * kSecond, 3}}, 1)};
  const size_t refusals = t_.fake_owner().states.size();
  t_.send_part(rows);
  EXPECT_EQ(t_.fake_owner().states.size(), refusals + 1);
  EXPECT_EQ(column("customer.count_1h")["values"][0], 2) << "and answers as before";
}

}  // namespace
}  // namespace tidemill::test
