#include "coordinator/snapshot_rest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "coordinator/rest.h"
#include "tests/unit/coordinator/snapshot_fixture.h"

namespace tidemill {
namespace {

using Json = nlohmann::json;

RestRoute routed(const std::string& method, const std::string& target) {
  auto out = route_request({method, target, "", ""});
  EXPECT_TRUE(std::holds_alternative<RestRoute>(out)) << method << " " << target;
  return std::holds_alternative<RestRoute>(out) ? std::get<RestRoute>(out) : RestRoute{};
}

SnapshotRoute snapshots(const std::string& method, const std::string& target) {
  const auto route = routed(method, target);
  EXPECT_EQ(route.call, RestCall::kSnapshots) << target;
  return route.snapshot;
}

int refused(const std::string& method, const std::string& target) {
  auto out = route_request({method, target, "", ""});
  return std::holds_alternative<HttpResponse>(out) ? std::get<HttpResponse>(out).status : 0;
}

TEST(SnapshotRest, RoutesOfAJob) {
  auto route = snapshots("GET", "/v1/jobs/a%2Fb/snapshots");
  EXPECT_EQ(route.call, SnapshotCall::kListSnapshots);
  EXPECT_EQ(route.job, "a/b");
  EXPECT_EQ(snapshots("POST", "/v1/jobs/a/snapshots").call, SnapshotCall::kTrigger);
  route = snapshots("GET", "/v1/jobs/a/snapshots/12");
  EXPECT_EQ(route.call, SnapshotCall::kShowTrigger);
  EXPECT_EQ(route.number, 12u);
  route = snapshots("GET", "/v1/jobs/a/key-partitions/7/snapshots");
  EXPECT_EQ(route.call, SnapshotCall::kShowSnapshots);
  EXPECT_EQ(route.key_partition, 7u);
  route = snapshots("POST", "/v1/jobs/a/snapshot-checks");
  EXPECT_EQ(route.call, SnapshotCall::kCheckJob);
  EXPECT_FALSE(route.key_partition);
  EXPECT_EQ(snapshots("POST", "/v1/jobs/a/snapshot-checks?key_partition=3").key_partition, 3u);
}

TEST(SnapshotRest, RoutesOfSavepointsAndChecks) {
  EXPECT_EQ(snapshots("GET", "/v1/savepoints").call, SnapshotCall::kListSavepoints);
  auto route = snapshots("GET", "/v1/savepoints/s");
  EXPECT_EQ(route.call, SnapshotCall::kShowSavepoint);
  EXPECT_EQ(route.savepoint, "s");
  EXPECT_EQ(snapshots("DELETE", "/v1/savepoints/s").call, SnapshotCall::kDeleteSavepoint);
  route = snapshots("GET", "/v1/savepoints/s/key-partitions/2");
  EXPECT_EQ(route.call, SnapshotCall::kShowSavepointSnapshot);
  EXPECT_EQ(route.key_partition, 2u);
  EXPECT_EQ(snapshots("POST", "/v1/savepoints/s/checks").call, SnapshotCall::kCheckSavepoint);
  route = snapshots("GET", "/v1/snapshot-checks/5");
  EXPECT_EQ(route.call, SnapshotCall::kShowCheck);
  EXPECT_EQ(route.number, 5u);
}

TEST(SnapshotRest, RefusesWrongMethodsAndNumbers) {
  EXPECT_EQ(refused("PUT", "/v1/jobs/a/snapshots"), 405);
  EXPECT_EQ(refused("POST", "/v1/jobs/a/snapshots/1"), 405);
  EXPECT_EQ(refused("POST", "/v1/savepoints"), 405);
  EXPECT_EQ(refused("POST", "/v1/savepoints/s"), 405);
  EXPECT_EQ(refused("DELETE", "/v1/snapshot-checks/1"), 405);
  EXPECT_EQ(refused("GET", "/v1/jobs/a/snapshots/x"), 400);
  EXPECT_EQ(refused("GET", "/v1/jobs/a/key-partitions/-1/snapshots"), 400);
  EXPECT_EQ(refused("GET", "/v1/savepoints/s/key-partitions/x"), 400);
  EXPECT_EQ(refused("GET", "/v1/snapshot-checks/"), 400);
  EXPECT_EQ(refused("POST", "/v1/jobs/a/snapshot-checks?k=3"), 400);
  EXPECT_EQ(refused("POST", "/v1/jobs/a/snapshot-checks?key_partition=x"), 400);
  EXPECT_EQ(refused("GET", "/v1/savepoints/s/other"), 404);
  EXPECT_EQ(refused("GET", "/v1/savepoints/"), 404);
}

TEST(SnapshotRest, ASubmissionNamesASavepoint) {
  const auto route = routed("POST", "/v1/jobs?base_dir=%2Fx&from_savepoint=a%2Db");
  EXPECT_EQ(route.call, RestCall::kSubmitJob);
  EXPECT_EQ(route.base_dir, "/x");
  EXPECT_EQ(route.from_savepoint, "a-b");
  EXPECT_EQ(routed("POST", "/v1/jobs").from_savepoint, "");
  EXPECT_EQ(refused("POST", "/v1/jobs?from_savepoint="), 400);
  EXPECT_EQ(refused("POST", "/v1/jobs?savepoint=a"), 400);
}

TEST(SnapshotRest, BodyOfATrigger) {
  EXPECT_EQ(*read_trigger_body(""), "");
  EXPECT_EQ(*read_trigger_body("{}"), "");
  EXPECT_EQ(*read_trigger_body(R"({"name":"before-upgrade"})"), "before-upgrade");
  for (const char* bad :
       {"x", "[]", R"({"nam":"a"})", R"({"name":1})", R"({"name":""})", R"({"name":"a/b"})"}) {
    EXPECT_FALSE(read_trigger_body(bad).ok()) << bad;
  }
}

TEST(SnapshotRest, ListsKeyPartitionsWithAndWithoutSnapshots) {
  auto state = testing::state_with_job(2);
  const JobId job{1};
  ASSERT_EQ(register_snapshot(testing::claim_of(job, 1, 101, 3, 2), NodeId{11}, &state),
            Registration::kNew);
  const auto json = Json::parse(snapshots_response(state.jobs.at(job), 4'000'000).body);
  EXPECT_EQ(json["totals"]["key_partitions_without"], 1);
  EXPECT_TRUE(json["totals"]["oldest_age_ms"].is_null());
  EXPECT_EQ(json["key_partitions"][0], Json({{"key_partition", 0}, {"retained", 0}}));
  const auto& there = json["key_partitions"][1];
  EXPECT_EQ(there["manifest"], testing::manifest_of(job, 1, 101, 3));
  EXPECT_EQ(there["age_ms"], 1000);
  EXPECT_EQ(there["epoch"], 101);
  EXPECT_EQ(there["version"], 3);
  EXPECT_EQ(there["rows"], 3);
  EXPECT_EQ(there["total_bytes"], 300);
  EXPECT_EQ(json["needed_offsets"].size(), 2u);
  EXPECT_EQ(json["needed_offsets"][0]["source"], "transactions");
}

TEST(SnapshotRest, SaysHowFarATriggerIs) {
  auto state = testing::state_with_job(2);
  const JobId job{1};
  ASSERT_TRUE(trigger_snapshot("a", "s", 0, &state).ok());
  ASSERT_EQ(register_snapshot(testing::claim_of(job, 1, 101, 3, 1), NodeId{11}, &state),
            Registration::kNew);
  auto json = Json::parse(trigger_response(state, state.jobs.at(job), 1).body);
  EXPECT_EQ(json["complete"], false);
  EXPECT_EQ(json["key_partitions"], Json({{"total", 2}, {"done", 1}}));
  EXPECT_EQ(json["savepoint"], "s");
  ASSERT_EQ(register_snapshot(testing::claim_of(job, 0, 100, 3, 1), NodeId{10}, &state),
            Registration::kNew);
  update_savepoints(0, &state);
  json = Json::parse(trigger_response(state, state.jobs.at(job), 1).body);
  EXPECT_EQ(json["complete"], true);
  const auto savepoint = Json::parse(savepoint_response(*state.savepoints.at("s")).body);
  EXPECT_EQ(savepoint["state"], "COMPLETE");
  EXPECT_EQ(savepoint["snapshots"].size(), 2u);
  EXPECT_EQ(savepoint["rows"], 6);
  EXPECT_EQ(Json::parse(savepoints_response(state).body)["savepoints"][0]["job_name"], "a");
}

TEST(SnapshotRest, ShowsWhatAManifestSays) {
  proto::StateManifest manifest;
  manifest.set_job(3);
  auto* file = manifest.add_files();
  file->set_object("job-00000003/k-00001/x");
  file->set_base(true);
  file->set_rows(9);
  manifest.mutable_head()->add_offsets()->set_offset(55);
  auto* ancestor = manifest.mutable_head()->add_ancestry();
  ancestor->set_epoch(4);
  RegisteredSnapshot snapshot;
  snapshot.manifest = "m";
  const auto json = Json::parse(
      contents_response(1, {{snapshot, manifest, ""}, {snapshot, std::nullopt, "is damaged"}})
          .body);
  EXPECT_EQ(json["snapshots"][0]["files"][0]["base"], true);
  EXPECT_EQ(json["snapshots"][0]["files"][0]["rows"], 9);
  EXPECT_EQ(json["snapshots"][0]["head"]["offsets"][0]["offset"], 55);
  EXPECT_EQ(json["snapshots"][0]["head"]["ancestry"][0]["epoch"], 4);
  EXPECT_EQ(json["snapshots"][0]["written_by_job"], 3);
  EXPECT_EQ(json["snapshots"][1]["problem"], "is damaged");
  EXPECT_FALSE(json["snapshots"][1].contains("files"));
}

}  // namespace
}  // namespace tidemill
