#include "cli/costs/sample.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/cli/costs/compiled.h"

namespace tidemill::costs {
namespace {

namespace fs = std::filesystem;

constexpr char kJob[] = R"(job: j
allowed_lateness: 1h
sources:
  pay:
    schema: {at: timestamp, who: string, shop: int64, amount: double}
    event_time: at
    max_out_of_orderness: 1h
    stream: {kafka: {brokers: "a:9092", topic: pay}}
  log:
    schema: {at: timestamp, who: string}
    event_time: at
    stream: {generator: {events: 1}}
views:
  customer:
    source: pay
    entity: [who]
    aggregations:
      - {function: sum, column: amount, windows: [1h, 1d]}
  shop:
    source: pay
    entity: [shop, who]
    where: amount > 0
    aggregations:
      - {function: count, windows: [1d, lifetime]}
      - {name: inverse, function: last, column: 100 / cast(amount as int32), windows: [1d]}
)";

class Sample : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tidemill_sample_XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& text) {
    const std::string path = (directory_ / name).string();
    std::ofstream(path) << text;
    return path;
  }
  static proto::JobPlan job() {
    std::string yaml = kJob;
    const std::string log =
        "    schema: {at: timestamp, who: string}\n    event_time: at\n    stream: {gen";
    yaml.replace(yaml.find(log), log.size(), "    stream: {gen");
    return compiled(yaml);
  }
  Result<SampleReport> run(const std::string& path, size_t keys = 3) {
    job_ = job();
    SampleOptions options;
    options.file = path;
    options.source = "pay";
    options.keys = keys;
    options.now = 1'600'000'000'000'000;
    options.most_bytes = most_bytes_;
    return run_sample(job_, options);
  }

  fs::path directory_;
  proto::JobPlan job_;
  uint64_t most_bytes_ = 64 << 20;
};

constexpr char kEvents[] =
    "at,who,shop,amount\n"
    "2018-04-01T00:00:00Z,a,1,1\n"
    "2018-04-01T10:00:00Z,a,1,2\n"
    "2018-04-02T10:00:00Z,a,2,4\n"
    "2018-04-02T12:00:00Z,b,2,8\n"
    "2018-04-02T12:30:00Z,a,2,16\n";

double number(const FeatureValue& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  const auto* integer = std::get_if<int64_t>(&value);
  return integer == nullptr ? -1 : static_cast<double>(*integer);
}

std::string values_of(const KeySample& key) {
  std::string out = key.key + ":";
  for (const FeatureSample& feature : key.features) {
    out += " " + feature.name + "=" + std::to_string(static_cast<int>(number(feature.value)));
  }
  return out;
}

TEST_F(Sample, GivesTheFeaturesOfTheKeysWithMostRowsAtItsEnd) {
  const auto got = run(file("a.csv", kEvents));
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->events, 5u);
  EXPECT_EQ(got->bad, 0u);
  EXPECT_EQ(got->last, 1'522'672'200'000'000);
  ASSERT_EQ(got->keys.size(), 5u);
  EXPECT_EQ(values_of(got->keys[0]), "who=a: customer.amount_sum_1h=16 customer.amount_sum_1d=20");
  EXPECT_EQ(got->keys[0].rows, 4u);
  EXPECT_EQ(values_of(got->keys[1]), "who=b: customer.amount_sum_1h=8 customer.amount_sum_1d=8");
  EXPECT_EQ(values_of(got->keys[2]),
            "shop=1 who=a: shop.count_1d=0 shop.count_lifetime=2 shop.inverse_1d=-1");
  EXPECT_EQ(values_of(got->keys[3]),
            "shop=2 who=a: shop.count_1d=2 shop.count_lifetime=2 shop.inverse_1d=6");
  EXPECT_EQ(got->keys[3].features[0].feature->name(), "count_1d");
  EXPECT_EQ(run(file("b.csv", kEvents), 1)->keys.size(), 2u);
  EXPECT_EQ(run(file("c.csv", kEvents), 0)->keys.size(), 0u);
}

TEST_F(Sample, CountsRowsByKeyAndThoseThatAreStillKept) {
  const auto got = run(file("a.csv", kEvents));
  ASSERT_TRUE(got.ok()) << got.error().message();
  ASSERT_EQ(got->tables.size(), 2u);
  // The horizon is two hours behind 12:30, rows are kept for a day before it.
  const TableSample& who = got->tables[0];
  EXPECT_EQ(who.rows, 5u);
  EXPECT_EQ(who.keys, 2u);
  EXPECT_EQ(who.most_rows, 4u);
  EXPECT_EQ(who.kept_rows, 3u);
  EXPECT_EQ(who.kept_keys, 2u);
  EXPECT_EQ(who.most_kept, 2u);
  EXPECT_GT(who.bytes, 2 * 64u);
  EXPECT_LT(who.bytes, 2 * 1000u);  // nothing of slots that no key has taken
}

TEST_F(Sample, NamesLineAndReasonOfWhatCouldNotBeUsed) {
  const auto got = run(file("a.csv",
                            "at,who,shop,amount\n"
                            "2018-04-01T00:00:00Z,a,1,x\n"
                            "2018-04-01T00:00:00Z,\"a\nb\",1,3\n"
                            "\n"
                            "2018-04-01T00:00:00Z,,1,0.25\n"
                            "2018-04-01T00:00:00Z,c,1,0.25\n"
                            "2099-04-01T00:00:00Z,c,1,1\n"));
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->events, 3u);
  EXPECT_EQ(got->bad, 3u);
  EXPECT_EQ(got->null_keys, 2u);
  ASSERT_EQ(got->first_bad.size(), 3u);
  EXPECT_EQ(got->first_bad[0].line, 2u);
  EXPECT_EQ(got->first_bad[0].reason, BadReason::kUnparsable);
  EXPECT_NE(got->first_bad[0].message.find("'x' is not a double"), std::string::npos);
  // 100 / 0, in one view only.
  EXPECT_EQ(got->first_bad[1].line, 7u);
  EXPECT_EQ(got->first_bad[1].view, "shop");
  EXPECT_EQ(got->first_bad[2].reason, BadReason::kFuture);
  EXPECT_EQ(got->first_bad[2].line, 8u);
}

TEST_F(Sample, CountsWhatAJobWouldHaveDroppedAsTooLate) {
  // Rows are freed batch by batch: the late one is in another batch than the one that makes it so.
  std::string text = "at,who,shop,amount\n";
  for (int i = 0; i < 40'000; ++i) text += "2018-04-05T00:00:00Z,a,1,1\n";
  text += "2018-04-01T00:00:00Z,a,1,1\n";
  const auto got = run(file("a.csv", text));
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->too_late, 1u);
  EXPECT_EQ(got->tables[0].kept_rows, 40'000u);
}

TEST_F(Sample, ReadsWhatSourcesRead) {
  const auto got = run(
      file("a.ndjson", "{\"at\": \"2018-04-01T00:00:00Z\", \"who\": \"a\", \"amount\": 3}\n{}\n"));
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->events, 1u);
  EXPECT_EQ(got->first_bad[0].line, 2u);
  const auto empty = run(file("b.csv", "at,who,shop,amount\n"));
  ASSERT_TRUE(empty.ok()) << empty.error().message();
  EXPECT_EQ(empty->events, 0u);
  EXPECT_TRUE(empty->keys.empty());
}

TEST_F(Sample, ReadsAvroAndNumbersItsRecords) {
  const auto run_avro = [&](const char* type) {
    job_ = compiled(R"(job: j
sources:
  pay:
    schema: {at: timestamp, name: string, id: )" +
                    std::string(type) + R"(}
    event_time: at
    stream: {kafka: {brokers: "a:9092", topic: pay}}
views:
  v:
    source: pay
    entity: [name]
    aggregations: [{function: count, windows: [lifetime]}]
)");
    SampleOptions options;
    options.file = "tests/golden/records/payments_deflate.avro";
    options.bad = 60;
    options.now = 4'000'000'000'000'000;
    options.most_bytes = most_bytes_;
    return run_sample(job_, options);
  };
  const auto good = run_avro("int64");
  ASSERT_TRUE(good.ok()) << good.error().message();
  EXPECT_EQ(good->events + good->bad, 60u);
  const auto bad = run_avro("string");
  ASSERT_TRUE(bad.ok()) << bad.error().message();
  ASSERT_EQ(bad->first_bad.size(), 60u);
  for (size_t i = 0; i < 60; ++i) EXPECT_EQ(bad->first_bad[i].line, i + 1);
}

TEST_F(Sample, RefusesWithAReason) {
  const auto refused = [&](const std::string& path, const std::string& source) {
    SampleOptions options;
    options.file = path;
    options.source = source;
    options.now = 1'600'000'000'000'000;
    options.most_bytes = most_bytes_;
    const auto got = run_sample(job(), options);
    EXPECT_FALSE(got.ok());
    return got.ok() ? "" : got.error().message();
  };
  const std::string events = file("a.csv", kEvents);
  EXPECT_NE(refused(events, "").find("--source: pay, log"), std::string::npos);
  EXPECT_NE(refused(events, "pai").find("has no source 'pai'; its sources are pay, log"),
            std::string::npos);
  EXPECT_NE(refused(file("a.txt", kEvents), "pay").find("ends with .csv"), std::string::npos);
  EXPECT_NE(refused(events + ".csv", "pay").find("a.csv.csv"), std::string::npos);
  EXPECT_NE(refused(file("b.csv", "what\n"), "pay").find("--sample: "), std::string::npos);
  most_bytes_ = 100;
  EXPECT_NE(refused(events, "pay").find("name a smaller one"), std::string::npos);
}

}  // namespace
}  // namespace tidemill::costs
