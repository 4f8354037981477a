// POST /get-online-features on a store: which job answers, what it answers, and how mistakes are
// told.
#include <gtest/gtest.h>

#include "serving/read_gateway.h"
#include "shared/base/hash.h"
#include "shared/plan/entity_key.h"
#include "tests/unit/serving/test_store.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

constexpr const char* kJob = R"(
job: cards
key_partitions: 1
allowed_lateness: 1h
sources:
  transactions:
    stream: {generator: {partitions: 2, events: 10, seed: 1, customers: 5, terminals: 5, events_per_second: 1}}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h]}
      - {function: sum, column: amount, windows: [1h]}
  transaction:
    source: transactions
    entity: [transaction_id]
    aggregations: [{name: transaction_sum, function: sum, column: amount, windows: [1h]}]
  pair:
    source: transactions
    entity: [customer_id, transaction_id]
    aggregations: [{function: sum, column: amount, windows: [1h]}]
services:
  fraud: {features: [transaction.transaction_sum_1h, customer.count_1h]}
)";

std::shared_ptr<const Plan> job(const std::string& name = "cards", const char* view = "customer") {
  proto::JobPlan plan = plan_of(kJob)->proto();
  plan.set_job(name);
  plan.mutable_views(0)->set_name(view);
  plan.mutable_services(0)->set_features(1, std::string(view) + ".count_1h");
  return *Plan::from_proto(plan);
}

std::string pair_key(const std::string& customer, int64_t transaction) {
  std::string key;
  append_key_string(customer, &key);
  append_key_int(transaction, &key);
  return key;
}

std::string transaction_key(int64_t transaction) {
  std::string key;
  append_key_int(transaction, &key);
  return key;
}

class FeastApi : public testing::Test {
 protected:
  HttpResponse ask(const json& request, const std::string& path = "/get-online-features") {
    return ask_text(request.dump(), path);
  }
  HttpResponse ask_text(const std::string& body, const std::string& path = "/get-online-features") {
    const auto got = t_.call("POST", path, body);
    return got ? *got : HttpResponse{};
  }
  json answer(const json& request, const std::string& path = "/get-online-features") {
    const HttpResponse got = ask(request, path);
    EXPECT_EQ(got.status, 200) << got.body;
    return json::parse(got.body);
  }
  // Values by the column's name.
  json values(const json& request) {
    const json got = answer(request);
    json out;
    for (size_t i = 0; i < got["results"].size(); ++i) {
      out[got["metadata"]["feature_names"][i].get<std::string>()] = got["results"][i]["values"];
    }
    return out;
  }
  void expect_fault(const HttpResponse& got, int status, const std::string& error_class,
                    const std::string& message) {
    EXPECT_EQ(got.status, status);
    const json detail = json::parse(json::parse(got.body).get<std::string>());
    EXPECT_EQ(detail["module"], "feast.errors");
    EXPECT_EQ(detail["class"], error_class);
    EXPECT_EQ(detail["message"], message);
  }
  void fill() {
    t_.show({job()});
    const auto block = [](const std::vector<TestRow>& rows, const char* view, const char* entity) {
      return block_of(rows, job()->view(view)->table, entity);
    };
    t_.fill(KeyPartitionId(0),
            {block({{"c1", kStart, 1.5}, {"c1", kStart + kSecond, 2}}, "customer", "customer_id"),
             block({{transaction_key(7), kStart, 3.5}}, "transaction", "transaction_id"),
             block({{pair_key("c1", 7), kStart, 1.5}, {pair_key("c1", 8), kStart + kSecond, 2}},
                   "pair", "customer_id,transaction_id")},
            kStart + kSecond);
  }

  TestStore t_;
};

TEST_F(FeastApi, AnswersByColumn) {
  fill();
  const HttpResponse got =
      ask_text(R"({"entities": {"customer_id": ["c1", "no", "c1"]}, "full_feature_names": false, )"
               R"("features": ["customer:amount_sum_1h", "customer:count_1h"]})");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.content_type, "application/json");
  const std::string times =
      R"("event_timestamps":["2018-04-01T00:00:01Z","1970-01-01T00:00:00Z","2018-04-01T00:00:01Z"]})";
  EXPECT_EQ(
      got.body,
      R"({"results":[{"values":["c1","no","c1"],"statuses":["PRESENT","PRESENT","PRESENT"],)"
      R"("event_timestamps":["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]},)"
      R"({"values":[3.5,null,3.5],"statuses":["PRESENT","NOT_FOUND","PRESENT"],)" +
          times + R"(,{"values":[2,null,2],"statuses":["PRESENT","NOT_FOUND","PRESENT"],)" + times +
          R"(],"metadata":{"feature_names":["customer_id","amount_sum_1h","count_1h"]}})");
}

TEST_F(FeastApi, KeysComeFirstInTheirOrderThenViewsAsMentioned) {
  fill();
  const json got =
      json::parse(ask_text(R"({"features":["customer:count_1h","transaction:transaction_sum_1h",)"
                           R"("customer:amount_sum_1h"],)"
                           R"("entities":{"transaction_id":["7",8.0],"customer_id":["c1","c1"]}})")
                      .body);
  EXPECT_EQ(got["metadata"]["feature_names"], (json{"transaction_id", "customer_id", "count_1h",
                                                    "amount_sum_1h", "transaction_sum_1h"}));
  EXPECT_EQ(got["results"][0]["values"], (json{7, 8}));  // converted
  EXPECT_EQ(got["results"][3]["values"], (json{3.5, 3.5}));
  EXPECT_EQ(got["results"][4]["values"], (json{3.5, nullptr}));
}

TEST_F(FeastApi, CompositeKeysNeedAllTheirColumns) {
  fill();
  const json request{
      {"features", {"pair:amount_sum_1h"}},
      {"entities", {{"customer_id", {"c1", "c1", "c1"}}, {"transaction_id", {7, 8, 9}}}}};
  EXPECT_EQ(values(request)["amount_sum_1h"], (json{1.5, 2.0, nullptr}));
  expect_fault(
      ask({{"features", {"pair:amount_sum_1h"}}, {"entities", {{"customer_id", {"c1"}}}}}), 400,
      "FeastError",
      "Missing join key values for keys: transaction_id. Feature view pair needs customer_id, "
      "transaction_id, one value per row each");
  expect_fault(ask({{"features", {"pair:amount_sum_1h"}}, {"entities", {{"x", {"c1"}}}}}), 400,
               "FeastError",
               "Missing join key values for keys: customer_id, transaction_id. Feature view pair "
               "needs customer_id, transaction_id, one value per row each");
  expect_fault(ask({{"features", {"customer:count_1h"}}, {"entities", json::object()}}), 400,
               "FeastError",
               "Missing join key values for keys: customer_id. Feature view customer needs "
               "customer_id, one value per row each");
}

TEST_F(FeastApi, FullNames) {
  fill();
  const json got = values({{"features", {"customer:amount_sum_1h", "pair:amount_sum_1h"}},
                           {"entities", {{"customer_id", {"c1"}}, {"transaction_id", {8}}}},
                           {"full_feature_names", true}});
  EXPECT_EQ(got, (json{{"customer_id", {"c1"}},
                       {"transaction_id", {8}},
                       {"customer__amount_sum_1h", {3.5}},
                       {"pair__amount_sum_1h", {2.0}}}));
}

TEST_F(FeastApi, AServiceIsItsFeatures) {
  fill();
  const json got = answer({{"feature_service", "fraud"},
                           {"features", {"customer:amount_sum_1h"}},
                           {"entities", {{"customer_id", {"c1"}}, {"transaction_id", {7}}}}});
  EXPECT_EQ(got["metadata"]["feature_names"],
            (json{"customer_id", "transaction_id", "transaction_sum_1h", "count_1h"}));
  EXPECT_EQ(got["results"][2]["values"], json{3.5});
}

TEST_F(FeastApi, ColumnsThatAreNoKeysAreDroppedAndThoseOfOtherEntitiesRepeated) {
  fill();
  const json got = values({{"features", {"customer:count_1h"}},
                           {"entities",
                            {{"customer_id", {"c1", "c1"}},
                             {"transaction_id", {"7", true}},
                             {"tx_amount", {1.5, nullptr}}}}});
  EXPECT_EQ(
      got, (json{{"customer_id", {"c1", "c1"}}, {"transaction_id", {7, 1}}, {"count_1h", {2, 2}}}));
}

TEST_F(FeastApi, MistakesAreToldInFeastsWay) {
  fill();
  const json entities{{"customer_id", {"c1"}}, {"transaction_id", {7}}};
  const auto ask_for = [&](std::vector<std::string> features) {
    return ask({{"features", features}, {"entities", entities}});
  };
  expect_fault(ask_for({"nope:x"}), 404, "FeatureViewNotFoundException",
               "Feature view nope does not exist in project cards");
  expect_fault(ask({{"feature_service", "nope"}, {"entities", entities}}), 404,
               "FeatureServiceNotFoundException",
               "Feature service nope does not exist in project cards");
  expect_fault(ask_for({"customer:nope"}), 400, "FeastError",
               "Feature nope not found in feature view customer of project cards; it has, among "
               "others, count_1h");
  const std::string collision =
      "Duplicate features named amount_sum_1h found.\nTo resolve this collision, either use the "
      "full feature name by setting 'full_feature_names=True', or ensure that the features in "
      "question have different names.";
  expect_fault(ask_for({"customer:amount_sum_1h", "pair:amount_sum_1h"}), 400,
               "FeatureNameCollisionError", collision);
  expect_fault(ask_for({"customer:amount_sum_1h", "customer:amount_sum_1h"}), 400,
               "FeatureNameCollisionError", collision);
  expect_fault(
      ask({{"features", {"customer:count_1h", "customer:count_1h"}},
           {"entities", entities},
           {"full_feature_names", true}}),
      400, "FeatureNameCollisionError",
      "Duplicate features named customer__count_1h found.\nTo resolve this collision, name "
      "every feature once.");
  expect_fault(
      ask({{"features", {"transaction:transaction_sum_1h"}},
           {"entities", {{"transaction_id", {"x"}}}}}),
      400, "FeastError",
      "entities.transaction_id[0]: this join key is an int64: send a whole number in its range");
  expect_fault(
      ask({{"features", {"customer:count_1h"}},
           {"entities", {{"customer_id", {"c1"}}, {"transaction_id", {nullptr}}}}}),
      400, "FeastError",
      "entities.transaction_id[0]: this join key is an int64: send a whole number in its range");
  EXPECT_EQ(ask_text("{").status, 422);
  EXPECT_TRUE(json::parse(ask_text("{").body).contains("detail"));
}

TEST_F(FeastApi, WrongMethodsAndHealth) {
  t_.show({job()});
  t_.sim.run_for(100'000);
  const auto got = t_.call("GET", "/get-online-features");
  EXPECT_EQ(got->status, 405);
  EXPECT_EQ(got->allow, "POST");
  EXPECT_EQ(got->body, R"({"detail":"Method Not Allowed"})");
  EXPECT_EQ(t_.call("GET", "/health")->status, 200);
  EXPECT_EQ(t_.call("GET", "/jobs/cards/health")->status, 200);
  EXPECT_EQ(t_.call("GET", "/jobs/other/health")->status, 404);
  EXPECT_EQ(t_.call("POST", "/jobs/cards/health")->status, 405);
}

// The SDK repeats a request that is answered with 503.
TEST_F(FeastApi, NotReadyIs503) {
  const json request{{"features", {"customer:count_1h"}}, {"entities", {{"customer_id", {"c1"}}}}};
  expect_fault(ask(request), 503, "FeastError",
               "not ready: this store has not heard from the coordinator yet, try again soon");
  t_.show({job()});
  expect_fault(ask(request), 503, "FeastError",
               "not ready: this store does not hold all of these keys yet, try again soon");
}

TEST_F(FeastApi, AtTheRootTheOneJobThatHasEverythingAnswers) {
  t_.show({job("a", "customer"), job("b", "buyer")});
  t_.fill(KeyPartitionId(0), {block_of({{"c1", kStart, 1.5}})}, kStart);  // of the first job
  const json entities{{"customer_id", {"c1"}}, {"transaction_id", {7}}};
  EXPECT_EQ(answer({{"features", {"customer:count_1h"}}, {"entities", entities}})["results"].size(),
            3u);
  // The second holds nothing yet: that it was chosen shows in the refusal.
  EXPECT_EQ(ask({{"features", {"buyer:count_1h"}}, {"entities", entities}}).status, 503);
  expect_fault(
      ask({{"features", {"customer:count_1h", "buyer:count_1h"}}, {"entities", entities}}), 404,
      "FeatureViewNotFoundException",
      "Feature view buyer does not exist in a running job that has all views asked for (a, "
      "b)");
  expect_fault(ask({{"features", {"nope:x"}}, {"entities", entities}}), 404,
               "FeatureViewNotFoundException",
               "Feature view nope does not exist in a running job that has all views asked for (a, "
               "b)");
  expect_fault(ask({{"feature_service", "nope"}, {"entities", entities}}), 404,
               "FeatureServiceNotFoundException",
               "Feature service nope does not exist in any running job (a, b)");
  const std::string several =
      "several jobs have what is asked for (a, b): add /jobs/<job> to the store's path, with one "
      "of them";
  expect_fault(ask({{"features", {"transaction:transaction_sum_1h"}}, {"entities", entities}}), 400,
               "FeastError", several);
  expect_fault(ask({{"feature_service", "fraud"}, {"entities", entities}}), 400, "FeastError",
               several);
}

TEST_F(FeastApi, UnderAJobsPathThatJobAnswers) {
  t_.show({job("a"), job("b")});
  t_.fill(KeyPartitionId(0), {block_of({{"c1", kStart, 1.5}})}, kStart);
  const json request{{"features", {"customer:count_1h"}}, {"entities", {{"customer_id", {"c1"}}}}};
  EXPECT_EQ(answer(request, "/jobs/a/get-online-features")["results"][1]["values"], json{1});
  EXPECT_EQ(answer(request, "//jobs/a/get-online-features/")["results"][1]["values"], json{1});
  EXPECT_EQ(ask(request, "/jobs/b/get-online-features").status, 503);
  expect_fault(ask(request, "/jobs/c/get-online-features"), 404, "ProjectNotFoundException",
               "Project c does not exist: no running job is called that");
  expect_fault(ask({{"features", {"nope:x"}}, {"entities", {{"customer_id", {"c1"}}}}},
                   "/jobs/b/get-online-features"),
               404, "FeatureViewNotFoundException",
               "Feature view nope does not exist in project b");
}

TEST_F(FeastApi, WithoutJobsNothingExists) {
  t_.show({});
  expect_fault(ask({{"features", {"v:x"}}, {"entities", {{"k", {"1"}}}}}), 404,
               "FeatureViewNotFoundException",
               "Feature view v does not exist in a running job that has all views asked for ()");
}

TEST_F(FeastApi, AsManyRowsAsOneBatchOfTheSdkSends) {
  fill();
  json request{{"features", {"customer:count_1h", "customer:amount_sum_1h"}}};
  for (int i = 0; i < 25'000; ++i) {
    request["entities"]["customer_id"].push_back(i % 3 == 0 ? "c1" : "x" + std::to_string(i));
  }
  const json got = answer(request);
  ASSERT_EQ(got["results"][1]["values"].size(), 25'000u);
  for (size_t i = 0; i < 25'000; ++i) {
    ASSERT_EQ(got["results"][1]["values"][i], i % 3 == 0 ? json(2) : json());
    ASSERT_EQ(got["results"][1]["statuses"][i], i % 3 == 0 ? "PRESENT" : "NOT_FOUND");
  }
}

}  // namespace
}  // namespace tidemill::test
