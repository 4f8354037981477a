#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/job_submit.h"
#include "cli/savepoints.h"
#include "cli/snapshot_list.h"
#include "cli/snapshot_show.h"
#include "cli/snapshot_trigger.h"
#include "cli/snapshot_verify.h"
#include "tests/unit/cli/fake_server.h"
#include "tests/unit/cli/outcome.h"

namespace tidemill::cli {
namespace {

class Snapshots : public testing::Test {
 protected:
  FakeServer server_;
  GlobalOptions global_{server_.url(), false};
  GlobalOptions json_{server_.url(), true};
};

TEST_F(Snapshots, ListIsATableWithTotals) {
  const std::string body =
      R"({"totals":{"key_partitions":2,"key_partitions_without":1,"retained":2,"rows":3,)"
      R"("total_bytes":4096,"oldest_age_ms":null},"key_partitions":[{"key_partition":0,"retained":0},)"
      R"({"key_partition":1,"retained":2,"taken_at":"2026-01-01T00:00:00Z","age_ms":1250,"epoch":7,)"
      R"("version":1234,"rows":3,"total_bytes":4096,"new_bytes":100}]})";
  server_.answer("GET /v1/jobs/a/snapshots", 200, body);
  const Outcome got = outcome(SnapshotListCommand{"a"}, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk);
  EXPECT_EQ(got.out,
            "KEY PARTITION  TAKEN AT                AGE  EPOCH  VERSION  ROWS  BYTES  NEW BYTES  "
            "RETAINED\n"
            "            0                                                                       "
            "       0\n"
            "            1  2026-01-01T00:00:00Z  1.2 s      7    1,234     3  4,096        100  "
            "       2\n"
            "\n2 key partitions, 1 without a snapshot; 2 snapshots retained; 3 rows in 4,096 "
            "bytes\n");
  EXPECT_EQ(outcome(SnapshotListCommand{"a"}, json_).out, body + "\n");
  EXPECT_EQ(outcome(SnapshotListCommand{"b"}, global_).exit, ExitCode::kFailed);
}

TEST_F(Snapshots, ShowPrintsFilesAndHeadAndFailsOnDamage) {
  server_.answer(
      "GET /v1/jobs/a/key-partitions/3/snapshots", 200,
      R"({"snapshots":[{"manifest":"m1","epoch":7,"version":9,"rows":5,"total_bytes":10,"new_bytes":2,)"
      R"("problem":"","files":[{"object":"base.sst","base":true,"rows":5}],)"
      R"("head":{"offsets":[{"offset":4242,"finished":true}],"ancestry":[{"epoch":7,"last_version":9}],)"
      R"("horizon":"-infinity"}},{"manifest":"m2","problem":"m2 is damaged"}]})");
  const Outcome got = outcome(SnapshotShowCommand{"a", "", 3}, global_);
  EXPECT_EQ(got.exit, ExitCode::kFailed);
  EXPECT_NE(got.out.find("base.sst"), std::string::npos);
  EXPECT_NE(got.out.find("4,242"), std::string::npos);
  EXPECT_NE(got.err.find("m2 is damaged"), std::string::npos);
  server_.answer("GET /v1/savepoints/s/key-partitions/3", 200, R"({"snapshots":[]})");
  EXPECT_EQ(outcome(SnapshotShowCommand{"", "s", 3}, global_).exit, ExitCode::kFailed);
}

TEST_F(Snapshots, VerifyPollsAndEndsWithOneIfAnythingIsDamaged) {
  server_.answer("POST /v1/jobs/a/snapshot-checks", 202, R"({"id":5})");
  server_.answer("GET /v1/snapshot-checks/5", 200, R"({"done":false})");
  server_.answer("GET /v1/snapshot-checks/5", 503, R"({"error":{"message":"starting"}})");
  server_.answer(
      "GET /v1/snapshot-checks/5", 200,
      R"({"done":true,"what":"job a","verified":4,"superseded":1,"damaged":1,"problems":)"
      R"([{"key_partition":2,"manifest":"m","problem":"a checksum does not match"}]})");
  const Outcome bad = outcome(SnapshotVerifyCommand{"a", "", {}}, global_);
  EXPECT_EQ(bad.exit, ExitCode::kFailed);
  EXPECT_EQ(bad.out,
            "key partition 2, m: a checksum does not match\n"
            "3 snapshots of job a were verified: 1 damaged\n");
  server_.answer("POST /v1/jobs/a/snapshot-checks?key_partition=7", 202, R"({"id":6})");
  server_.answer("POST /v1/savepoints/s/checks", 202, R"({"id":6})");
  server_.answer("GET /v1/snapshot-checks/6", 200,
                 R"({"done":true,"what":"job a","verified":1,"superseded":0,"damaged":0})");
  EXPECT_EQ(outcome(SnapshotVerifyCommand{"a", "", 7}, global_).exit, ExitCode::kOk);
  EXPECT_EQ(outcome(SnapshotVerifyCommand{"", "s", {}}, global_).exit, ExitCode::kOk);
  EXPECT_EQ(outcome(SnapshotVerifyCommand{"b", "", {}}, global_).exit, ExitCode::kFailed);
}

TEST_F(Snapshots, TriggerNamesASavepointAndWaitsForIt) {
  server_.answer("POST /v1/jobs/a/snapshots", 202, R"({"id":3,"job":9})");
  EXPECT_EQ(outcome(SnapshotTriggerCommand{"a", "", false}, global_).exit, ExitCode::kOk);
  EXPECT_EQ(server_.asked().back().body, "");
  const std::string asked = "GET /v1/jobs/9/snapshots/3";
  server_.answer(asked, 200, R"({"complete":false,"savepoint":"s"})");
  server_.answer(asked, 200, R"({"complete":true,"savepoint":"s"})");
  server_.answer(asked, 200, R"({"complete":true,"savepoint":""})");
  server_.answer(asked, 200, R"({"complete":false,"error":"the job was stopped before"})");
  const Outcome made = outcome(SnapshotTriggerCommand{"a", "s", true}, global_);
  EXPECT_EQ(made.exit, ExitCode::kOk);
  EXPECT_NE(made.out.find("--from-savepoint s"), std::string::npos);
  EXPECT_EQ(server_.asked()[1].body, R"({"name":"s"})");
  const Outcome deleted = outcome(SnapshotTriggerCommand{"a", "s", true}, global_);
  EXPECT_EQ(deleted.exit, ExitCode::kFailed);
  EXPECT_NE(deleted.err.find("deleted"), std::string::npos);
  const Outcome stopped = outcome(SnapshotTriggerCommand{"a", "s", true}, global_);
  EXPECT_EQ(stopped.exit, ExitCode::kFailed);
  EXPECT_NE(stopped.err.find("stopped"), std::string::npos);
}

TEST_F(Snapshots, SavepointsAreListedShownAndDeleted) {
  server_.answer(
      "GET /v1/savepoints", 200,
      R"({"savepoints":[{"name":"s","state":"COMPLETE","job":3,"job_name":"a",)"
      R"("made_at":"2026-01-01T00:00:00Z","key_partitions":8,"rows":9,"total_bytes":10},)"
      R"({"name":"t","state":"PENDING","job":3,"job_name":"a",)"
      R"("made_at":"2026-01-02T00:00:00Z"}]})");
  EXPECT_EQ(outcome(SavepointListCommand{}, global_).out,
            "NAME  STATE     JOB  JOB ID  MADE AT               KEY PARTITIONS  ROWS  BYTES\n"
            "s     COMPLETE  a         3  2026-01-01T00:00:00Z               8     9     10\n"
            "t     PENDING   a         3  2026-01-02T00:00:00Z\n");
  server_.answer("GET /v1/savepoints/s", 200,
                 R"({"name":"s","state":"COMPLETE","needed_offsets":[{"partition":0,"source":"x",)"
                 R"("offset":77}],"snapshots":[{"key_partition":0,"manifest":"m"}]})");
  const Outcome shown = outcome(SavepointShowCommand{"s"}, global_);
  EXPECT_NE(shown.out.find("77"), std::string::npos);
  server_.answer("DELETE /v1/savepoints/s", 202, R"({"name":"s"})");
  EXPECT_EQ(outcome(SavepointDeleteCommand{"s"}, global_).exit, ExitCode::kOk);
  EXPECT_EQ(outcome(SavepointDeleteCommand{"t"}, global_).exit, ExitCode::kFailed);
}

TEST_F(Snapshots, AJobIsSubmittedFromASavepoint) {
  const auto dir = std::filesystem::temp_directory_path() /
                   ("tidemill_snapshots_test_" + std::to_string(getpid()));
  std::filesystem::create_directories(dir);
  const std::string path = (dir / "job.yaml").string();
  std::ofstream(path) << "job: b\n";
  JobSubmitCommand submit;
  submit.file = path;
  submit.from_savepoint = "s";
  (void)outcome(submit, global_);
  std::filesystem::remove_all(dir);
  ASSERT_EQ(server_.asked().size(), 1u);
  EXPECT_TRUE(server_.asked()[0].target.ends_with("&from_savepoint=s"))
      << server_.asked()[0].target;
}

}  // namespace
}  // namespace tidemill::cli
