// Every route of the store, every status and every message.
#include "serving/read_gateway.h"

#include <gtest/gtest.h>

#include "shared/base/hash.h"
#include "shared/plan/entity_key.h"
#include "shared/plan/source_partitions.h"
#include "tests/unit/serving/test_store.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

constexpr const char* kJob = R"(
job: cards
key_partitions: 4
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
      - {function: count, windows: [1h]}
      - {function: sum, column: amount, windows: [1h]}
  transaction:
    source: transactions
    entity: [transaction_id, event_time]
    aggregations:
      - {function: sum, column: amount, windows: [1d]}
services:
  fraud_model:
    features: [customer.count_1h]
)";

std::shared_ptr<const Plan> job(bool wall = false) {
  proto::JobPlan plan = plan_of(kJob)->proto();
  plan.set_leading_edge(wall ? proto::JobPlan::WALL : proto::JobPlan::EVENT);
  return *Plan::from_proto(plan);
}

KeyPartitionId partition_of(const std::string& key, const std::string& entity = "customer_id") {
  return KeyPartitionId(key_partition_of(hash_entity_key(key, hash_bytes(entity, 0)), 4));
}

class ReadGatewayTest : public testing::Test {
 protected:
  void expect_error(const std::optional<HttpResponse>& got, int status,
                    const std::string& message) {
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->status, status);
    EXPECT_EQ(json::parse(got->body)["error"]["message"], message);
  }
  std::optional<HttpResponse> ask(const std::string& body) {
    return t_.call("POST", "/v1/features", body);
  }
  json answer(const std::string& body) {
    const auto got = ask(body);
    EXPECT_TRUE(got.has_value());
    if (!got) return {};
    EXPECT_EQ(got->status, 200) << got->body;
    return json::parse(got->body);
  }
  // Key partitions of "a" and "b", which are not the same.
  void fill_two(TimeUs horizon = kMinTime) {
    t_.show({job()});
    ASSERT_NE(partition_of("a"), partition_of(other_));
    t_.fill(partition_of("a"), {block_of({{"a", kStart, 1.5}, {"a", kStart + kSecond, 2}})},
            kStart + kSecond, horizon);
    t_.fill(partition_of(other_), {block_of({{other_, kStart, 8}})}, kStart);
  }
  static std::string other_key() {
    for (int i = 0;; ++i) {
      const std::string key = std::to_string(i);
      if (partition_of(key) != partition_of("a")) return key;
    }
  }

  TestStore t_;
  std::string other_ = other_key();
};

TEST_F(ReadGatewayTest, HealthIsGoodOnceTheStoreKnowsWhatItHolds) {
  expect_error(t_.call("GET", "/health"), 503,
               "not ready: this store has not heard from the coordinator yet");
  t_.show({small_plan()});
  t_.sim.run_for(100'000);
  const auto got = t_.call("GET", "/health");
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->body, "{\"status\":\"ok\"}");
  expect_error(t_.call("POST", "/health"), 405, "/health takes GET");
}

TEST_F(ReadGatewayTest, PathsAndMethods) {
  const std::string no_path =
      "no such path: there are POST /v1/features, GET /v1/jobs/<job>/keys, GET /health, and for "
      "Feast POST /get-online-features, also under /jobs/<job>";
  expect_error(t_.call("GET", "/"), 404, no_path);
  expect_error(t_.call("GET", "/v1/jobs/cards"), 404, no_path);
  expect_error(t_.call("POST", "/v1/features/"), 404, no_path);
  expect_error(t_.call("GET", "/v1/features"), 405, "/v1/features takes POST");
  EXPECT_EQ(t_.call("GET", "/v1/features")->allow, "POST");
  EXPECT_EQ(t_.call("DELETE", "/health")->allow, "GET");
  expect_error(t_.call("POST", "/v1/jobs/cards/keys"), 405, "/v1/jobs/cards/keys takes GET");
}

TEST_F(ReadGatewayTest, BeforeTheFirstViewItIsNotReady) {
  const std::string message =
      "not ready: this store has not heard from the coordinator yet, try again soon";
  expect_error(ask("{}"), 503, message);
  expect_error(t_.call("GET", "/v1/jobs/cards/keys?view=customer"), 503, message);
}

TEST_F(ReadGatewayTest, SaysWhatIsWrongWithARequest) {
  t_.show({job()});
  struct Case {
    std::string body;
    int status;
    std::string message;
  };
  const std::string views = "customer, transaction";
  const std::vector<Case> cases{
      {R"({"job":"card","features":["customer.*"],"entities":{"customer_id":["1"]}})", 404,
       "job: no running job is called 'card'"},
      {R"({"job":"cards","features":["customers.*"],"entities":{"customer_id":["1"]}})", 404,
       "features: 'customers.*' names no view; write <view>.<feature> or <view>.*, with a view "
       "of: " +
           views},
      {R"({"job":"cards","features":["customer.nb"],"entities":{"customer_id":["1"]}})", 404,
       "features: view 'customer' has no feature 'nb'; it has, among others, 'count_1h'"},
      {R"({"job":"cards","service":"model","entities":{"customer_id":["1"]}})", 404,
       "service: the job has no service 'model'"},
      {R"({"job":"cards","features":["customer.*"],"entities":{"customer":["1"]}})", 400,
       "entities: view 'customer' needs the join key 'customer_id', one value per row"},
      {R"({"job":"cards","features":["transaction.*"],"entities":{"transaction_id":[1]}})", 400,
       "entities: view 'transaction' needs the join key 'event_time', one value per row"},
      {R"({"job":"cards","features":["customer.*"],"entities":{"customer_id":["1"],"terminal_id":["2"]}})",
       400, "entities.terminal_id: not a join key of any view asked for"},
      {R"({"job":"cards","features":["customer.*"],"entities":{"customer_id":["1",2]}})", 400,
       "entities.customer_id[1]: this key is a string: write it in quotes, such as \"596\""},
      {R"({"job":"cards","features":["transaction.*"],"entities":{"transaction_id":["1"],"event_time":["2018-04-01T00:00:00Z"]}})",
       400,
       "entities.transaction_id[0]: this key is an int64: write a whole number, without quotes"},
      {R"({"job":"cards","features":["transaction.*"],"entities":{"transaction_id":[1],"event_time":["x"]}})",
       400, "entities.event_time[0]: this key is a timestamp: write \"2018-04-01T00:00:00Z\""},
      {R"({"job":"cards","features":["customer"],"entities":{"customer_id":["1"]}})", 400,
       "features[0]: 'customer' names no view; write <view>.<feature> or <view>.*"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.body);
    expect_error(ask(c.body), c.status, c.message);
  }
  EXPECT_EQ(ask("no JSON")->status, 400);
  EXPECT_EQ(ask("{}")->status, 400);
}

TEST_F(ReadGatewayTest, AtMostSoManyFeaturesWithPatternsExpanded) {
  t_.show({job()});
  json request{{"job", "cards"}, {"entities", {{"customer_id", {"1"}}}}};
  request["features"] = std::vector<std::string>(500, "customer.*");
  EXPECT_EQ(ask(request.dump())->status, 200);
  request["features"].push_back("customer.count_1h");
  expect_error(ask(request.dump()), 400,
               "features: at most 1000 in one request, patterns expanded");
}

TEST_F(ReadGatewayTest, AnswersPresentNotFoundAndNotReady) {
  fill_two();
  std::string absent;  // a key of a partition that is held
  std::string elsewhere;
  for (int i = 100; absent.empty() || elsewhere.empty(); ++i) {
    const KeyPartitionId k = partition_of(std::to_string(i));
    const bool held = k == partition_of("a") || k == partition_of(other_);
    (held ? absent : elsewhere) = std::to_string(i);
  }
  const json got = answer(json{{"job", "cards"},
                               {"features", {"customer.*"}},
                               {"entities", {{"customer_id", {"a", absent, elsewhere, other_}}}}}
                              .dump());
  EXPECT_EQ(got["job"], "cards");
  EXPECT_EQ(got["as_of"], "2018-04-01T00:00:01Z");  // the largest event time over both shards
  ASSERT_EQ(got["results"].size(), 2u);
  const json& count = got["results"][0];
  const json& sum = got["results"][1];
  EXPECT_EQ(count["feature"], "customer.count_1h");
  EXPECT_EQ(sum["feature"], "customer.amount_sum_1h");
  EXPECT_EQ(count["values"], (json{2, 0, nullptr, 1}));
  EXPECT_EQ(sum["values"], (json{3.5, nullptr, nullptr, 8.0}));
  for (const json& feature : {count, sum}) {
    EXPECT_EQ(feature["statuses"], (json{"PRESENT", "NOT_FOUND", "NOT_READY", "PRESENT"}));
    EXPECT_TRUE(feature["freshness_ms"][2].is_null());
    EXPECT_GT(feature["freshness_ms"][0], 0);
    EXPECT_LT(feature["freshness_ms"][0], 1'000);
    EXPECT_EQ(feature["resolution_us"], (json{0, 0, nullptr, 0}));
  }
  EXPECT_FALSE(got.contains("offsets"));
}

TEST_F(ReadGatewayTest, EverythingIsNotReadyAtFirst) {
  t_.show({job()});
  const json got = answer(
      R"({"job":"cards","features":["customer.count_1h"],"entities":{"customer_id":["a"]},"offsets":true})");
  EXPECT_EQ(got["as_of"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(got["results"][0]["statuses"], json{"NOT_READY"});
  EXPECT_EQ(got["offsets"]["customer"], json{nullptr});
}

TEST_F(ReadGatewayTest, AServiceIsItsFeatures) {
  fill_two();
  const json got =
      answer(R"({"job":"cards","service":"fraud_model","entities":{"customer_id":["a"]}})");
  ASSERT_EQ(got["results"].size(), 1u);
  EXPECT_EQ(got["results"][0]["feature"], "customer.count_1h");
  EXPECT_EQ(got["results"][0]["values"], json{2});
}

TEST_F(ReadGatewayTest, CompositeKeysAndSeveralViewsInOneRequest) {
  fill_two();
  std::string key;
  append_key_int(7, &key);
  append_key_int(kStart, &key);
  const std::string entity = "transaction_id,event_time";
  const KeyPartitionId k = partition_of(key, entity);
  // Continue at the version that key partition has, or fill it.
  if (k == partition_of("a") || k == partition_of(other_)) {
    FramePart rows = TestStore::part(k, PartKind::kRows, 3, 3);
    rows.from_version = 2;
    rows.payload = {block_of({{key, kStart, 4}}, 1, entity)};
    t_.send_part(rows);
  } else {
    t_.fill(k, {block_of({{key, kStart, 4}}, 1, entity)}, kStart);
  }
  const json got = answer(
      R"({"job":"cards","features":["transaction.amount_sum_1d","customer.count_1h"],)"
      R"("entities":{"event_time":["2018-04-01T02:00:00+02:00"],"customer_id":["a"],"transaction_id":[7]}})");
  ASSERT_EQ(got["results"].size(), 2u);
  EXPECT_EQ(got["results"][0]["feature"], "transaction.amount_sum_1d");
  EXPECT_EQ(got["results"][0]["values"], json{4.0});
  EXPECT_EQ(got["results"][1]["values"], json{2});
}

TEST_F(ReadGatewayTest, AsOfIsWhatIsAskedForOrTheLargestEventTimeOrTheClock) {
  fill_two();
  const std::string head =
      R"({"job":"cards","features":["customer.count_1h"],"entities":{"customer_id":["a"]})";
  json got = answer(head + R"(,"as_of":"2018-04-01T00:00:00Z"})");
  EXPECT_EQ(got["as_of"], "2018-04-01T00:00:00Z");
  EXPECT_EQ(got["results"][0]["values"], json{1});
  got = answer(head + R"(,"as_of":"2018-04-01T01:00:00Z"})");
  EXPECT_EQ(got["results"][0]["values"], json{1});  // the first has left the window
  got = answer(head + R"(,"as_of":"2019-01-01T00:00:00Z"})");
  EXPECT_EQ(got["results"][0]["values"], json{0});
  EXPECT_EQ(got["results"][0]["statuses"], json{"PRESENT"});
  t_.show({job(/*wall=*/true)});
  got = answer(head + "}");
  EXPECT_TRUE(got["as_of"].get<std::string>().starts_with("2020-01-01T00:00:0")) << got["as_of"];
  EXPECT_EQ(got["results"][0]["values"], json{0});
}

TEST_F(ReadGatewayTest, AsOfBelowTheHorizonIsRefused) {
  fill_two(/*horizon=*/kStart);
  const std::string head =
      R"({"job":"cards","features":["customer.count_1h"],"entities":{"customer_id":[")" + other_ +
      R"(","a"]},"as_of":")";
  EXPECT_EQ(ask(head + "2018-04-01T00:00:00Z\"}")->status, 200);
  expect_error(ask(head + "2018-03-31T23:59:59.999999Z\"}"), 400,
               "as_of: 2018-03-31T23:59:59.999999Z is before the horizon 2018-04-01T00:00:00Z, "
               "older rows are no longer kept; raise the job's allowed_lateness to ask further "
               "back");
  // Only the horizons of the key partitions asked about count.
  EXPECT_EQ(ask(R"({"job":"cards","features":["customer.count_1h"],"entities":{"customer_id":[")" +
                other_ + R"("]},"as_of":"2018-03-31T23:59:59Z"})")
                ->status,
            200);
}

TEST_F(ReadGatewayTest, OffsetsSayWhatTheAnswerWasComputedFrom) {
  fill_two();
  const json got = answer(
      R"({"job":"cards","features":["customer.*"],"entities":{"customer_id":["a"]},"offsets":true})");
  ASSERT_EQ(got["offsets"].size(), 1u);
  const json& held = got["offsets"]["customer"][0];
  EXPECT_EQ(held["key_partition"], partition_of("a").value);
  EXPECT_EQ(held["version"], (json{1, 2}));
  EXPECT_EQ(held["offset_vector"],
            (json::parse(R"([[0,"-infinity"],[17,"2018-04-01T00:00:01Z"]])")));
}

// Source partitions are added while a job runs; what was held stays.
TEST_F(ReadGatewayTest, APlanThatGrowsLosesNothing) {
  fill_two();
  proto::JobPlan grown = job()->proto();
  grown.mutable_sources(0)->mutable_generator()->set_partitions(3);
  number_source_partitions(&grown);
  t_.show({*Plan::from_proto(grown)});
  const std::string body =
      R"({"job":"cards","features":["customer.*"],"entities":{"customer_id":["a"]},"offsets":true})";
  json got = answer(body);
  EXPECT_EQ(got["results"][0]["values"], json{2});
  EXPECT_EQ(got["offsets"]["customer"][0]["offset_vector"],
            (json::parse(R"([[0,"-infinity"],[17,"2018-04-01T00:00:01Z"],[0,"-infinity"]])")));
  FramePart rows = TestStore::part(partition_of("a"), PartKind::kRows, 3, 3);
  rows.from_version = 2;
  rows.payload = {block_of({{"a", kStart + 2 * kSecond, 4}})};
  rows.advances = {{SourcePartitionId(2), {5, kStart + 2 * kSecond, false}}};
  t_.send_part(rows);
  got = answer(body);
  EXPECT_EQ(got["as_of"], "2018-04-01T00:00:02Z");
  EXPECT_EQ(got["results"][0]["values"], json{3});
  EXPECT_EQ(got["offsets"]["customer"][0]["offset_vector"][2],
            (json::parse(R"([5,"2018-04-01T00:00:02Z"])")));
}

// Shards compute a large request piece by piece.
TEST_F(ReadGatewayTest, ManyRowsInOneRequest) {
  t_.show({job()});
  for (uint32_t k = 0; k < 4; ++k) {
    std::vector<TestRow> rows;
    for (int i = 0; i < 6'000; i += 2) {
      const std::string key = std::to_string(i);
      if (partition_of(key) == KeyPartitionId(k)) rows.push_back({key, kStart, i + 0.5});
    }
    t_.fill(KeyPartitionId(k), {block_of(rows)}, kStart);
  }
  json request{{"job", "cards"}, {"features", {"customer.*"}}};
  for (int i = 0; i < 6'000; ++i) {
    request["entities"]["customer_id"].push_back(std::to_string(i));
  }
  const json got = answer(request.dump());
  ASSERT_EQ(got["results"][1]["values"].size(), 6'000u);
  for (int i = 0; i < 6'000; ++i) {
    const json want = i % 2 == 0 ? json(i + 0.5) : json();
    ASSERT_EQ(got["results"][1]["values"][i], want) << i;
    ASSERT_EQ(got["results"][1]["statuses"][i], i % 2 == 0 ? "PRESENT" : "NOT_FOUND");
  }
}

TEST(ReadGatewayLimits, AreThoseOfTheStoresOptions) {
  TestStore t(2, {.rows = 3, .values = 4});
  t.show({job()});
  const auto ask = [&](int rows, std::vector<std::string> features) {
    json request{{"job", "cards"}, {"features", features}};
    for (int i = 0; i < rows; ++i) request["entities"]["customer_id"].push_back("c");
    return t.call("POST", "/v1/features", request.dump());
  };
  EXPECT_EQ(ask(3, {"customer.count_1h"})->status, 200);
  EXPECT_EQ(json::parse(ask(4, {"customer.count_1h"})->body)["error"]["message"],
            "entities.customer_id: has more than 3 rows; split the request");
  EXPECT_EQ(ask(2, {"customer.*"})->status, 200);
  EXPECT_EQ(json::parse(ask(3, {"customer.*"})->body)["error"]["message"],
            "features: at most 4 values in one request: rows times features, where a list counts "
            "as the longest that it may be, and offsets as one value per source partition for each "
            "row of a view; split the request, or raise the store's max-request-values");
}

std::shared_ptr<const Plan> list_job() {
  std::string text = kJob;
  const std::string aggregations = "    aggregations:\n";
  text.insert(text.find(aggregations) + aggregations.size(),
              "      - {function: last_n, n: 10, column: terminal_id, windows: [1h]}\n"
              "      - {function: last, column: terminal_id, windows: [1h]}\n");
  return plan_of(text);
}

// A list is as long as it may get, and offsets are as many as the job has source partitions (2).
TEST(ReadGatewayLimits, CountWhatAListAndOffsetsHold) {
  TestStore t(2, {.rows = 10, .values = 24});
  t.show({list_job()});
  const auto status = [&](int rows, std::vector<std::string> features, bool offsets) {
    json request{{"job", "cards"}, {"features", features}, {"offsets", offsets}};
    for (int i = 0; i < rows; ++i) request["entities"]["customer_id"].push_back("c");
    return t.call("POST", "/v1/features", request.dump())->status;
  };
  EXPECT_EQ(status(2, {"customer.terminal_id_last_n_1h"}, false), 200);
  EXPECT_EQ(status(2, {"customer.terminal_id_last_n_1h"}, true), 200);
  EXPECT_EQ(status(2, {"customer.terminal_id_last_n_1h", "customer.count_1h"}, true), 400);
  EXPECT_EQ(status(3, {"customer.terminal_id_last_n_1h"}, false), 400);
  EXPECT_EQ(status(8, {"customer.count_1h"}, true), 200);
  EXPECT_EQ(status(9, {"customer.count_1h"}, true), 400);
  EXPECT_EQ(status(10, {"customer.count_1h"}, false), 200);
  const auto feast = t.call("POST", "/get-online-features",
                            R"({"features":["customer:terminal_id_last_n_1h"],)"
                            R"("entities":{"customer_id":["a","b","c"]}})");
  EXPECT_EQ(feast->status, 400);
  EXPECT_NE(feast->body.find("raise the store's max-request-values"), std::string::npos);
}

ReadAnswer answer_with(const std::vector<FeatureValue>& values) {
  ReadAnswer answer;
  answer.keys.emplace_back();
  answer.keys.back().status = ReadAnswer::Status::kPresent;
  answer.keys.back().values = values;
  return answer;
}

// Strings are as long as the events have them, which no request shows.
TEST(ReadGatewayLimits, CountTheTextThatIsFound) {
  const auto plan = list_job();
  const ViewSpec& view = *plan->view("customer");
  const ReadLimits limits{.rows = 1, .values = 11};
  FeatureRead read;
  read.plan = plan;
  read.rows = 1;
  for (const char* name : {"terminal_id_last_n_1h", "terminal_id_last_1h"}) {
    const auto spec = std::find_if(view.features.begin(), view.features.end(),
                                   [&](const FeatureSpec& s) { return s.name == name; });
    ASSERT_NE(spec, view.features.end());
    ASSERT_TRUE(read.add_feature(view, *spec, name, limits).ok());
  }
  EXPECT_EQ(read.values, 11u);
  const std::string text(352, 'x');  // 704 bytes are 64 for each of 11 values
  read.take(answer_with({ListValue{text}, text}));
  EXPECT_TRUE(read.check_text(limits).ok());
  read.forget();
  read.take(answer_with({ListValue{text, std::string(64, 'x')}, text}));
  const Status refused = read.check_text(limits);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("longer than 704 bytes"), std::string::npos);
  EXPECT_NE(refused.error().message().find("raise the store's max-request-values"),
            std::string::npos);
}

TEST(ReadGatewayLimits, CountAMapByItsMostEntries) {
  const auto plan = list_job();
  const ViewSpec& view = *plan->view("customer");
  FeatureSpec spec = view.features[0];
  spec.by = 0;
  spec.max_groups = 50;
  spec.map = true;
  FeatureRead read;
  read.plan = plan;
  read.rows = 2;
  ASSERT_TRUE(read.add_feature(view, spec, "groups", {.rows = 2, .values = 200}).ok());
  EXPECT_EQ(read.values, 200u);
  EXPECT_FALSE(read.add_feature(view, spec, "more", {.rows = 2, .values = 399}).ok());
  const std::string text(64 * 101, 'x');
  MapValue map;
  map.entries = {{text, std::monostate()}, {std::string("a"), text}};
  FeatureRead one;
  one.plan = plan;
  one.rows = 1;
  ASSERT_TRUE(one.add_feature(view, spec, "groups", {.rows = 1, .values = 200}).ok());
  one.take(answer_with({map}));
  EXPECT_FALSE(one.check_text({.rows = 1, .values = 200}).ok()) << "keys and values count";
}

// A shard computes few keys in a turn if each has much to compute.
TEST(ReadGatewayLimits, PiecesOfARequestAreBoundedByTheirValues) {
  const auto plan = list_job();
  const ViewSpec& view = *plan->view("customer");
  FeatureRead read;
  read.plan = plan;
  read.rows = 1000;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(read.add_feature(view, view.features.front(), "f", {}).ok());
  }
  EXPECT_EQ(read.values, 1'000'000u);
  read.groups.front().keys.resize(1000);
  size_t keys = 0;
  for (const auto& [shard, pieces] : read.requests(1, 1)) {
    for (const auto& piece : pieces) {
      EXPECT_LE(piece->keys.size(), 65u);
      keys += piece->keys.size();
    }
  }
  EXPECT_EQ(keys, 1000u);
}

// Small requests go on while a large one is read or written elsewhere.
class ReadGatewayLarge : public testing::Test {
 protected:
  static std::string request(size_t rows, const std::string& space = "") {
    json request{{"job", "cards"}, {"features", {"customer.*"}}};
    request["entities"]["customer_id"] = std::vector<std::string>(rows, "a");
    return request.dump() + space;
  }
  void expect_elsewhere(const std::string& path, const std::string& body) {
    const auto large = t_.begin_call("POST", path, body);
    t_.sim.run_for(1'000'000);
    EXPECT_FALSE(large->has_value());
    EXPECT_EQ(t_.call("POST", "/v1/features", request(3))->status, 200);
    EXPECT_FALSE(large->has_value());
    t_.sim.run_until([&] { return large->has_value(); }, t_.sim.now_us() + 9'000'000);
    ASSERT_TRUE(large->has_value());
    EXPECT_EQ((*large)->status, 200);
    answer_ = json::parse((*large)->body);
  }

  TestStore t_{2, {}, /*blocking_delay_us=*/1'500'000};
  json answer_;
};

TEST_F(ReadGatewayLarge, AnswersAreWrittenOnTheBlockingPool) {
  t_.show({job()});
  t_.fill(partition_of("a"), {block_of({{"a", kStart, 1.5}})}, kStart);
  expect_elsewhere("/v1/features", request(10'000));
  ASSERT_EQ(answer_["results"][1]["values"].size(), 10'000u);
  EXPECT_EQ(answer_["results"][1]["values"][9'999], 1.5);
  json feast{{"features", {"customer:count_1h", "customer:amount_sum_1h"}}};
  feast["entities"]["customer_id"] = std::vector<std::string>(10'000, "a");
  expect_elsewhere("/jobs/cards/get-online-features", feast.dump());
  EXPECT_EQ(answer_["results"][2]["values"][9'999], 1.5);
}

TEST_F(ReadGatewayLarge, BodiesAreReadOnTheBlockingPool) {
  t_.show({job()});
  t_.fill(partition_of("a"), {block_of({{"a", kStart, 1.5}})}, kStart);
  expect_elsewhere("/v1/features", request(2, std::string(2 << 20, ' ')));
  EXPECT_EQ(answer_["results"][0]["values"], (json{1, 1}));
  // What is wrong with it is said as of a small one.
  const auto wrong = t_.begin_call("POST", "/v1/features", "{" + std::string(2 << 20, ' '));
  t_.sim.run_until([&] { return wrong->has_value(); }, t_.sim.now_us() + 9'000'000);
  ASSERT_TRUE(wrong->has_value());
  EXPECT_EQ((*wrong)->status, 400);
}

// The pool is behind: the caller is told, and what comes later is dropped.
TEST(ReadGatewayOverload, ALargeRequestIsGivenUp) {
  TestStore t(1, {}, /*blocking_delay_us=*/30'000'000);
  t.show({job()});
  for (const char* path : {"/v1/features", "/get-online-features"}) {
    const auto large = t.begin_call("POST", path, std::string(2 << 20, ' '));
    t.sim.run_for(12'000'000);
    ASSERT_TRUE(large->has_value());
    EXPECT_EQ((*large)->status, 503);
    t.sim.run_for(60'000'000);
  }
}

TEST_F(ReadGatewayTest, KeysAreAFewThatAreHeld) {
  fill_two();
  const auto keys = [&](const std::string& query) {
    const auto got = t_.call("GET", "/v1/jobs/cards/keys" + query);
    EXPECT_EQ(got->status, 200) << got->body;
    return json::parse(got->body)["keys"];
  };
  json both = keys("?view=customer&limit=5");
  std::sort(both.begin(), both.end());
  json want = json::array({{{"customer_id", "a"}}, {{"customer_id", other_}}});
  std::sort(want.begin(), want.end());
  EXPECT_EQ(both, want);
  EXPECT_EQ(keys("?view=customer&limit=1").size(), 1u);
  EXPECT_EQ(keys("?view=customer").size(), 2u);
  EXPECT_EQ(keys("?view=transaction"), json::array());
}

TEST_F(ReadGatewayTest, SaysWhatIsWrongWithAnAskingForKeys) {
  t_.show({job()});
  const std::string path = "/v1/jobs/cards/keys";
  expect_error(t_.call("GET", "/v1/jobs/card%20s/keys?view=customer"), 404,
               "no running job is called 'card s'");
  expect_error(t_.call("GET", path), 400, "view: name a view of the job: customer, transaction");
  expect_error(t_.call("GET", path + "?view=none"), 400,
               "view: name a view of the job: customer, transaction");
  for (const char* limit : {"0", "1001", "-1", "x", "", "1e3", "99999999999999999999"}) {
    expect_error(t_.call("GET", path + "?view=customer&limit=" + limit), 400,
                 "limit: a whole number from 1 to 1000");
  }
  EXPECT_EQ(t_.call("GET", path + "?view=customer&limit=1000")->status, 200);
}

TEST_F(ReadGatewayTest, AJobThatHasEndedIsUnknown) {
  fill_two();
  t_.show({});
  expect_error(ask(R"({"job":"cards","features":["customer.*"],"entities":{"customer_id":["a"]}})"),
               404, "job: no running job is called 'cards'");
}

// Rows below the horizon are gone: an answer never stands below it, whoever chose the time.
TEST_F(ReadGatewayTest, AnImplicitAsOfIsNeverBelowTheHorizon) {
  t_.show({job(/*wall=*/true)});
  const TimeUs edge = t_.sim.runtime(t_.store).wall_us() + 2 * kHour;  // the owner's clock is ahead
  t_.fill(partition_of("a"), {block_of({{"a", edge, 1}})}, edge, edge);
  const json got = answer(
      R"({"job":"cards","features":["customer.count_1h"],"entities":{"customer_id":["a"]}})");
  EXPECT_EQ(got["as_of"], format_timestamp(edge));
  EXPECT_EQ(got["results"][0]["values"], json{1});
}

}  // namespace
}  // namespace tidemill::test
