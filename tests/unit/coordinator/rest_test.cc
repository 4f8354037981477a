#include "coordinator/rest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

using Json = nlohmann::json;

std::variant<RestRoute, HttpResponse> route(const std::string& method, const std::string& target) {
  return route_request({method, target, "", ""});
}

int refused(const std::string& method, const std::string& target) {
  const auto routed = route(method, target);
  const auto* response = std::get_if<HttpResponse>(&routed);
  if (response == nullptr) return 0;
  EXPECT_TRUE(Json::parse(response->body)["error"]["message"].is_string());
  return response->status;
}

RestRoute found(const std::string& method, const std::string& target) {
  const auto routed = route(method, target);
  const auto* out = std::get_if<RestRoute>(&routed);
  EXPECT_NE(out, nullptr) << method << " " << target;
  return out == nullptr ? RestRoute{} : *out;
}

TEST(Rest, FindsEveryCall) {
  EXPECT_EQ(found("GET", "/health").call, RestCall::kHealth);
  EXPECT_EQ(found("GET", "/metrics").call, RestCall::kMetrics);
  EXPECT_EQ(found("GET", "/v1/cluster").call, RestCall::kCluster);
  EXPECT_EQ(found("GET", "/v1/jobs").call, RestCall::kListJobs);
  EXPECT_EQ(found("GET", "/v1/jobs/card%20fraud").job, "card fraud");
  const auto stop = found("POST", "/v1/jobs/7/stop");
  EXPECT_EQ(stop.call, RestCall::kStopJob);
  EXPECT_EQ(stop.job, "7");
}

TEST(Rest, FindsUpdates) {
  const auto update = found("POST", "/v1/jobs/a%20b/update?base_dir=%2Fjobs");
  EXPECT_EQ(update.call, RestCall::kUpdateJob);
  EXPECT_EQ(update.job, "a b");
  EXPECT_EQ(update.base_dir, "/jobs");
  const auto plan = found("POST", "/v1/jobs/a/update?plan=true");
  EXPECT_EQ(plan.call, RestCall::kPlanUpdate);
  EXPECT_EQ(plan.base_dir, "/");
  EXPECT_EQ(found("POST", "/v1/jobs/a/update?plan=false").call, RestCall::kUpdateJob);
  EXPECT_EQ(refused("GET", "/v1/jobs/a/update"), 405);
  EXPECT_EQ(refused("POST", "/v1/jobs/a/update?base_dir=jobs"), 400);
  EXPECT_EQ(refused("POST", "/v1/jobs/a/update?plan=yes"), 400);
  EXPECT_EQ(refused("POST", "/v1/jobs/a/update?from_savepoint=x"), 400);
}

TEST(Rest, FindsCallsBelowAJob) {
  const auto move = found("POST", "/v1/jobs/a%2Fb/source-partitions/12/move");
  EXPECT_EQ(move.call, RestCall::kMoveReader);
  EXPECT_EQ(move.job, "a/b");
  EXPECT_EQ(move.source_partition, 12u);
  const auto letters = found("GET", "/v1/jobs/a/dead-letters?reason=future&limit=3");
  EXPECT_EQ(letters.call, RestCall::kDeadLetters);
  EXPECT_EQ(found("GET", "/v1/rebalance").call, RestCall::kShowRebalance);
  EXPECT_EQ(found("POST", "/v1/rebalance").call, RestCall::kRebalance);
  const auto plan = found("POST", "/v1/rebalance?plan=true&job=a%20b");
  EXPECT_EQ(plan.call, RestCall::kPlanRebalance);
  EXPECT_EQ(plan.job, "a b");
  EXPECT_EQ(found("POST", "/v1/rebalance?plan=false").call, RestCall::kRebalance);
  const auto drain = found("POST", "/v1/workers/00000000000000ab/drain");
  EXPECT_EQ(drain.call, RestCall::kDrain);
  EXPECT_EQ(drain.node, NodeId{0xab});
  EXPECT_EQ(found("DELETE", "/v1/workers/ab/drain").call, RestCall::kUndrain);
  EXPECT_EQ(letters.job, "a");
  for (const char* bad : {"x", "", "-1", "4294967296", "1x"}) {
    EXPECT_EQ(refused("POST", "/v1/jobs/a/source-partitions/" + std::string(bad) + "/move"), 400);
  }
}

TEST(Rest, ReadsWhereToMoveAReader) {
  EXPECT_EQ(*read_move_body(""), NodeId{});
  EXPECT_EQ(*read_move_body("{}"), NodeId{});
  EXPECT_EQ(*read_move_body("{\"to\": \"00000000000000ff\"}"), NodeId{255});
  for (const char* bad :
       {"x", "[]", "{\"to\": 1}", "{\"too\": \"ff\"}", "{\"to\": \"\"}", "{\"to\": \"0\"}",
        "{\"to\": \"fg\"}", "{\"to\": \"00000000000000000ff\\u0000\"}"}) {
    EXPECT_FALSE(read_move_body(bad).ok()) << bad;
  }
}

TEST(Rest, DecodesTheBaseDirectory) {
  EXPECT_EQ(found("POST", "/v1/jobs?base_dir=%2Fdata%2fa%20b+c").base_dir, "/data/a b+c");
  EXPECT_EQ(found("POST", "/v1/jobs?base_dir=/data").base_dir, "/data");
  EXPECT_EQ(found("POST", "/v1/jobs").base_dir, "/");
}

TEST(Rest, RefusesTheRest) {
  const struct {
    const char* method;
    const char* target;
    int status;
  } kCases[] = {{"GET", "/", 404},
                {"GET", "", 404},
                {"GET", "/v1/job", 404},
                {"GET", "/v1/jobs/a/b", 404},
                {"GET", "/v1/jobs/a/stop/x", 404},
                {"GET", "/v2/jobs/a", 404},
                {"POST", "/health", 405},
                {"DELETE", "/v1/jobs", 405},
                {"POST", "/v1/jobs/a", 405},
                {"GET", "/v1/jobs/a/stop", 405},
                {"GET", "/v1/jobs/a/source-partitions/0/move", 405},
                {"POST", "/v1/jobs/a/source-partitions/0", 404},
                {"POST", "/v1/jobs/a/source-partitions/0/stop", 404},
                {"POST", "/v1/jobs/a/dead-letters", 405},
                {"GET", "/v1/jobs/", 400},
                {"GET", "/v1/jobs/%zz", 400},
                {"GET", "/v1/jobs/%4", 400},
                {"POST", "/v1/jobs?base_dir=data", 400},
                {"POST", "/v1/jobs?base_dir=", 400},
                {"POST", "/v1/jobs?base_dir=%2Fa%00b", 400},
                {"POST", "/v1/jobs?dir=/data", 400},
                {"PUT", "/v1/rebalance", 405},
                {"POST", "/v1/rebalance?plan=yes", 400},
                {"POST", "/v1/rebalance?job=", 400},
                {"POST", "/v1/workers/zz/drain", 400},
                {"POST", "/v1/workers/00/drain", 400},
                {"GET", "/v1/workers/ab/drain", 405},
                {"POST", "/v1/workers/ab/stop", 404}};
  for (const auto& c : kCases) EXPECT_EQ(refused(c.method, c.target), c.status) << c.target;
}

TEST(Rest, ShowsTheCluster) {
  MembershipTable members{MembershipLimits{}};
  proto::Heartbeat beat;
  beat.set_node(0xabc);
  beat.set_endpoint("tcp://127.0.0.1:5");
  beat.set_role(proto::STORE);
  beat.set_shards(2);
  beat.set_http_address("127.0.0.1:7002");
  beat.set_pid(123);
  beat.set_resident_bytes(9000);
  beat.set_memory_budget_bytes(8000);
  for (const auto& [consumer, bytes] : {std::pair("rows", 7000), {"other", 2000}}) {
    proto::MemoryUse* use = beat.add_memory();
    use->set_consumer(consumer);
    use->set_bytes(bytes);
  }
  beat.add_jobs()->set_key_partitions(8);
  (void)members.heartbeat(beat, 1'000'000);
  CoordinatorState state;
  state.view_version = 3;
  const auto response = cluster_response(state, members, 1'120'000);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            "{\"version\":3,\"members\":[{\"node\":\"0000000000000abc\",\"role\":\"store\","
            "\"endpoint\":\"tcp://127.0.0.1:5\",\"http\":\"127.0.0.1:7002\",\"shards\":2,"
            "\"alive\":true,\"state\":\"alive\",\"pid\":123,\"resident_bytes\":9000,"
            "\"memory_budget_bytes\":8000,\"memory\":{\"rows\":7000,\"other\":2000},"
            "\"last_heartbeat_ms\":120,\"key_"
            "partitions\":8,"
            "\"source_partitions\":0,\"standbys\":0}]}\n");
}

TEST(Rest, ShowsAJob) {
  JobRecord job{
      JobId{1}, "a", JobState::kRunning, 1'522'540'800'000'000, testing::small_plan("a", 8, 1), {}};
  JobStatus status;
  status.key_partitions = 8;
  status.owned = 5;
  status.owned_by[NodeId{2}] = 5;
  SourceStatus source;
  source.source = "transactions";
  source.input = "generator 0";
  source.grant = {NodeId{2}, 0, Epoch{3}};
  source.error = "bad \xff byte";
  status.sources.push_back(source);
  const JobEntry entry{std::make_shared<const JobRecord>(job), std::make_shared<const JobGrants>()};
  const auto json = Json::parse(job_response(entry, status, 0).body);
  EXPECT_EQ(json["state"], "RUNNING");
  EXPECT_EQ(json["submitted_at"], "2018-04-01T00:00:00Z");
  EXPECT_EQ(json["yaml"], "job: a\n");
  EXPECT_EQ(json["key_partitions"]["by_node"]["0000000000000002"], 5);
  EXPECT_EQ(json["sources"][0]["epoch"], 3);
  EXPECT_EQ(json["sources"][0]["max_event_time"], "-infinity");
  EXPECT_EQ(json["horizon"], "-infinity");
}

TEST(Rest, ShowsSinceWhenFeaturesOfAChangedJobAreComplete) {
  constexpr TimeUs kFloor = 1'522'540'800'000'000;
  const auto plan = testing::small_plan("a", 8, 1);
  const FeatureSpec& feature = plan->views()[0].features[0];
  JobRecord job{JobId{1}, "a", JobState::kRunning, 0, plan, {}};
  const JobEntry entry{std::make_shared<const JobRecord>(job), std::make_shared<const JobGrants>()};
  JobStatus status;
  status.floors = {kMinTime};
  status.horizon = kFloor;
  EXPECT_FALSE(Json::parse(job_response(entry, status, 0).body)["views"][0].contains("filling"));
  status.floors = {kFloor};
  const auto filling = Json::parse(job_response(entry, status, 0).body)["views"][0]["filling"];
  ASSERT_FALSE(filling.empty());
  EXPECT_EQ(filling[0]["feature"], feature.name);
  EXPECT_EQ(filling[0]["complete_since"], format_timestamp(kFloor + feature.reach));
  status.horizon = kFloor + 1'000 * kMicrosPerDay;
  EXPECT_FALSE(Json::parse(job_response(entry, status, 0).body)["views"][0].contains("filling"));
}

TEST(Rest, ShowsWhatIsWrongWithAJob) {
  JobRecord job{JobId{1}, "a", JobState::kFailed, 0, testing::small_plan("a", 8, 2), "gone"};
  JobStatus status;
  status.too_late_by_view = {11};
  for (uint32_t s = 0; s < 2; ++s) {
    SourceStatus source;
    source.partition = s;
    source.index = s;
    source.source = "transactions";
    source.dead_letters = {{{"future", ""}, 2 + s}, {{"expression", "customer"}, 1}};
    source.null_keys = 3;
    source.tombstones = 4;
    source.idle = true;
    status.sources.push_back(source);
  }
  status.sources[1].log_end_offset = 50;
  status.sources[1].lag = 20;
  const JobEntry entry{std::make_shared<const JobRecord>(job), std::make_shared<const JobGrants>()};
  const auto json = Json::parse(job_response(entry, status, 0, "cannot list /data").body);
  EXPECT_EQ(json["state"], "FAILED");
  EXPECT_EQ(json["error"], "gone");
  EXPECT_EQ(json["discovery_error"], "cannot list /data");
  const auto& second = json["sources"][1];
  EXPECT_EQ(second["index"], 1);
  EXPECT_EQ(second["bad_records"], 4);
  EXPECT_EQ(second["dead_letters"],
            Json::parse(R"([{"reason":"expression","view":"customer","records":1},
                            {"reason":"future","view":"","records":3}])"));
  EXPECT_EQ(second["null_keys"], 3);
  EXPECT_EQ(second["tombstones"], 4);
  EXPECT_EQ(second["idle"], true);
  EXPECT_EQ(second["log_end_offset"], 50);
  EXPECT_EQ(second["lag"], 20);
  EXPECT_TRUE(json["sources"][0]["lag"].is_null());
  EXPECT_TRUE(json["sources"][0]["log_end_offset"].is_null());
  EXPECT_EQ(json["bad_records"], 7);
  EXPECT_EQ(json["null_keys"], 6);
  EXPECT_EQ(json["tombstones"], 8);
  EXPECT_EQ(json["lag"], 20);
  EXPECT_EQ(json["dead_letters"][1],
            Json::parse(R"({"source":"transactions","reason":"future","view":"","records":5})"));
  EXPECT_EQ(json["views"], Json::parse(R"([{"name":"customer","too_late_rows":11}])"));
  CoordinatorState state;
  state.jobs[JobId{1}] = {std::make_shared<const JobRecord>(job),
                          std::make_shared<const JobGrants>()};
  EXPECT_EQ(Json::parse(jobs_response(state).body)["jobs"][0]["error"], "gone");
}

TEST(Rest, ShowsEveryErrorOfAJob) {
  const auto response = refused_job_response({{12, 7, "views.a", "wrong"}, {13, 1, "b", "too"}});
  EXPECT_EQ(response.status, 400);
  const auto json = Json::parse(response.body);
  EXPECT_EQ(json["error"]["errors"].size(), 2u);
  EXPECT_EQ(json["error"]["errors"][0]["line"], 12);
  EXPECT_EQ(json["error"]["errors"][0]["path"], "views.a");
}

}  // namespace
}  // namespace tidemill
