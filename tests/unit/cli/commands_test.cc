#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/get.h"
#include "cli/job_list.h"
#include "cli/job_stop.h"
#include "cli/job_submit.h"
#include "cli/job_wait.h"
#include "cli/validate.h"
#include "tests/unit/cli/fake_server.h"
#include "tests/unit/cli/outcome.h"

namespace tidemill::cli {
namespace {

class Commands : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() /
           ("tidemill_commands_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string file(const std::string& name, const std::string& text) {
    const std::string path = (dir_ / name).string();
    std::ofstream(path) << text;
    return path;
  }
  std::string submit_request() const {
    std::string encoded;
    for (const char c : dir_.string()) encoded += c == '/' ? std::string("%2F") : std::string(1, c);
    return "POST /v1/jobs?base_dir=" + encoded;
  }

  std::filesystem::path dir_;
  FakeServer server_;
  GlobalOptions global_{server_.url(), false};
};

TEST_F(Commands, JobListIsATableOrTheRawAnswer) {
  const std::string body =
      R"({"jobs":[{"id":1,"name":"a","state":"RUNNING","submitted_at":"2026-01-01T00:00:00Z"},)"
      R"({"id":2,"name":"b","state":"FAILED","submitted_at":"2026-01-02T00:00:00Z","error":"gone"}]})";
  server_.answer("GET /v1/jobs", 200, body);
  EXPECT_EQ(outcome(JobListCommand{}, global_).out,
            "ID  NAME  STATE    SUBMITTED AT          ERROR\n"
            " 1  a     RUNNING  2026-01-01T00:00:00Z\n"
            " 2  b     FAILED   2026-01-02T00:00:00Z  gone\n");
  EXPECT_EQ(outcome(JobListCommand{}, {server_.url(), true}).out, body + "\n");
}

TEST_F(Commands, AnAbsentCoordinatorIsThreeAndSaysWhatToDo) {
  const Outcome got = outcome(JobListCommand{}, {"http://127.0.0.1:1", false});
  EXPECT_EQ(got.exit, ExitCode::kUnreachable);
  EXPECT_EQ(got.out, "");
  EXPECT_NE(got.err.find("--coordinator"), std::string::npos) << got.err;
}

TEST_F(Commands, JobStopNamesTheJobSafely) {
  server_.answer("POST /v1/jobs/a%2Fb/stop", 202, R"({"id":1})");
  EXPECT_EQ(outcome(JobStopCommand{"a/b"}, global_).exit, ExitCode::kOk);
  EXPECT_EQ(outcome(JobStopCommand{"other"}, global_).exit, ExitCode::kFailed);
}

TEST_F(Commands, JobSubmitSendsTheFileAndItsDirectory) {
  const std::string path = file("job.yaml", "job: x\n");
  server_.answer(submit_request(), 201, R"({"id":4,"name":"x"})");
  const Outcome got = outcome(JobSubmitCommand{path, false}, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk) << got.err;
  ASSERT_EQ(server_.asked().size(), 1u);
  EXPECT_EQ(server_.asked()[0].body, "job: x\n");
}

TEST_F(Commands, JobSubmitPrintsEveryErrorOfARefusedJob) {
  const std::string path = file("job.yaml", "job: x\n");
  server_.answer(submit_request(), 400, R"({"error":{"message":"the job has errors","errors":[
      {"line":12,"column":7,"path":"views.a.where","message":"unknown column 'b'"},
      {"line":14,"column":3,"path":"views.a","message":"no windows"}]}})");
  const Outcome got = outcome(JobSubmitCommand{path, false}, global_);
  EXPECT_EQ(got.exit, ExitCode::kUsage);
  EXPECT_NE(got.err.find(":12:7: views.a.where: unknown column 'b'"), std::string::npos) << got.err;
  EXPECT_NE(got.err.find(":14:3: views.a: no windows"), std::string::npos) << got.err;
  EXPECT_EQ(outcome(JobSubmitCommand{path + ".absent", false}, global_).exit, ExitCode::kUsage);
}

TEST_F(Commands, JobSubmitWaitsUntilTheJobIsComplete) {
  const std::string path = file("job.yaml", "job: x\n");
  server_.answer(submit_request(), 201, R"({"id":4,"name":"x"})");
  const std::string source = R"("sources":[{"input":"generator 0","offset":10,"records":10,)";
  server_.answer("GET /v1/jobs/4", 200,
                 R"({"name":"x","state":"RUNNING",)" + source + R"("published":5}]})");
  server_.answer("GET /v1/jobs/4", 200,
                 R"({"name":"x","state":"COMPLETED","rows":20,"keys":3,)" + source +
                     R"("published":10,"finished":true}]})");
  const Outcome got = outcome(JobSubmitCommand{path, true}, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk);
  EXPECT_EQ(got.out, "job x is complete: 10 records, of which 0 bad; 20 rows held for 3 keys\n");
  EXPECT_EQ(got.err, " 50%  10 records  RUNNING\n100%  10 records  COMPLETED\n");
}

TEST_F(Commands, WaitingForAJobThatIsStoppedFails) {
  server_.answer("GET /v1/jobs/4", 200, R"({"state":"STOPPED","sources":[]})");
  testing::internal::CaptureStderr();
  EXPECT_EQ(wait_for_job(global_, "4"), ExitCode::kFailed);
  EXPECT_EQ(wait_for_job(global_, "5"), ExitCode::kFailed);
  testing::internal::GetCapturedStderr();
}

TEST_F(Commands, ProgressIsMeasuredAgainstTheFile) {
  const std::string path = file("a.csv", std::string(1000, 'x'));
  const auto progress = [](const std::string& source) {
    return progress_of(nlohmann::json::parse(R"({"sources":[)" + source + "]}")).share;
  };
  const std::string input = R"({"input":")" + path + R"(",)";
  EXPECT_DOUBLE_EQ(progress(input + R"("offset":500,"published":250,"finished":false})"), 0.25);
  EXPECT_DOUBLE_EQ(progress(R"({"input":"generator 0","offset":500,"published":250})"), 0.5);
  EXPECT_DOUBLE_EQ(progress(input + R"("offset":500,"published":500,"finished":true})"), 1.0);
  EXPECT_DOUBLE_EQ(progress(R"({"offset":0,"published":0,"finished":true})"), 1.0);
  EXPECT_DOUBLE_EQ(progress(R"({"offset":0,"published":0})"), 0.0);
  EXPECT_DOUBLE_EQ(progress(R"({"offset":8,"published":4},{"offset":8,"published":8})"), 0.75);
}

TEST_F(Commands, GetAsksTheStoreThatTheCoordinatorNames) {
  FakeServer store;
  server_.answer(
      "GET /v1/cluster", 200,
      R"({"members":[{"role":"store","alive":true,"http":")" + store.address() + R"("}]})");
  store.answer("POST /v1/features", 200,
               R"({"job":"j","as_of":"2018-04-10T00:00:00Z","results":[{"feature":"c.n",)"
               R"("values":[3,4],"statuses":["PRESENT","PRESENT"],"freshness_ms":[1,2]}]})");
  GetCommand get;
  get.job = "j";
  get.entities = {"customer_id=596,4961", "terminal_id=a,b"};
  get.features = {"c.*,t.risk", "d.*"};
  get.as_of = "2018-04-10T00:00:00Z";
  const Outcome got = outcome(get, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk) << got.err;
  EXPECT_EQ(got.out,
            "as of 2018-04-10T00:00:00Z, fresh to 2 ms\n"
            "FEATURE  customer_id=596 terminal_id=a  customer_id=4961 terminal_id=b\n"
            "c.n                                  3                               4\n");
  ASSERT_EQ(store.asked().size(), 1u);
  EXPECT_EQ(nlohmann::json::parse(store.asked()[0].body), nlohmann::json::parse(R"({"job":"j",
      "features":["c.*","t.risk","d.*"], "as_of":"2018-04-10T00:00:00Z",
      "entities":{"customer_id":["596","4961"],"terminal_id":["a","b"]}})"));
}

TEST_F(Commands, GetWatchesAndMarksWhatChanged) {
  FakeServer store;
  const auto answer = [](int value) {
    return R"({"results":[{"feature":"c.n","values":[)" + std::to_string(value) +
           R"(],"statuses":["PRESENT"]}]})";
  };
  store.answer("POST /v1/features", 200, answer(3));
  store.answer("POST /v1/features", 200, answer(4));
  GetCommand get;
  get.job = "j";
  get.entities = {"k=1"};
  get.service = "s";
  get.store = store.url();
  get.watch = true;
  get.watch_seconds = 0;
  get.count = 2;
  EXPECT_EQ(outcome(get, global_).out,
            "as of \nFEATURE  k=1\nc.n        3\n\nas of \nFEATURE  k=1\nc.n       4*\n\n");
}

TEST_F(Commands, GetRefusesEntitiesThatDoNotMakeRows) {
  for (const std::vector<std::string>& entities :
       {std::vector<std::string>{"596"}, {"=596"}, {"customer_id="}, {"a=1,2", "b=1"}}) {
    GetCommand get;
    get.store = server_.url();
    get.entities = entities;
    get.features = {"c.*"};
    const Outcome got = outcome(get, global_);
    EXPECT_EQ(got.exit, ExitCode::kUsage);
    EXPECT_NE(got.err.find("--entity"), std::string::npos);
  }
  EXPECT_TRUE(server_.asked().empty());
}

TEST_F(Commands, ValidateSaysWhereTheErrorsAre) {
  const Outcome absent = outcome(ValidateCommand{"/nonexistent/job.yaml"}, global_);
  EXPECT_EQ(absent.exit, ExitCode::kUsage);
  const std::string path = file("job.yaml", "jobb: x\n");
  const Outcome got = outcome(ValidateCommand{path}, global_);
  EXPECT_EQ(got.exit, ExitCode::kUsage);
  EXPECT_NE(got.err.find("job.yaml:1:1: "), std::string::npos) << got.err;
  const Outcome raw = outcome(ValidateCommand{path}, {server_.url(), true});
  EXPECT_FALSE(nlohmann::json::parse(raw.out)["error"]["errors"].empty());
}

TEST_F(Commands, ValidateKnowsTheSettingsOfKafkaClients) {
  const std::string path = file("job.yaml", R"(job: k
sources:
  in:
    schema: {t: timestamp, who: string}
    event_time: t
    stream: {kafka: {brokers: "a:9", topic: x, client: {security.protocl: ssl}}}
views:
  v: {source: in, entity: [who], aggregations: [{function: count, windows: [1h]}]}
)");
  const Outcome got = outcome(ValidateCommand{path}, global_);
  EXPECT_EQ(got.exit, ExitCode::kUsage);
  EXPECT_NE(got.err.find("job.yaml:6:56: sources.in.stream.kafka.client: "), std::string::npos)
      << got.err;
  EXPECT_NE(got.err.find("security.protocl"), std::string::npos) << got.err;
}

constexpr const char* kJob = R"(job: small
sources:
  transactions:
    schema: {event_time: timestamp, customer_id: string, amount: double}
    event_time: event_time
    history: {files: "a.csv"}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 7d]}
)";

TEST_F(Commands, ValidateShowsWhatAJobMeans) {
  file("a.csv", "event_time,customer_id,amount\n");
  const std::string path = file("job.yaml", kJob);
  const Outcome got = outcome(ValidateCommand{path}, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk) << got.err;
  EXPECT_NE(got.out.find("customer  customer_id  transactions         2  7d"), std::string::npos)
      << got.out;
  EXPECT_NE(got.out.find("customer.count_1h  1h      right   0s      INT64"), std::string::npos)
      << got.out;
}

constexpr const char* kLiveJob = R"(job: live
sources:
  payments:
    schema: {at: timestamp, customer: string, terminal: string}
    event_time: at
    stream: {kafka: {brokers: "b:9092", topic: pay, client: {sasl.password: "${KAFKA_PASSWORD}"}}}
  logins:
    schema: {at: timestamp, customer: string}
    event_time: at
    stream: {files: "logins.csv", follow: true}
views:
  customer:
    source: payments
    entity: [customer]
    order_by: [at]
    aggregations:
      - {function: last_n, n: 5, column: terminal, windows: [1h, lifetime]}
      - {function: count_distinct, column: terminal, windows: [7d]}
      - {name: day, function: first, column: terminal, windows: [1d], every: 1d, timezone: Europe/Berlin, default: none}
      - {function: histogram, column: terminal, windows: [session], gap: 30m, max_length: 1d}
  seen: {source: logins, entity: [customer], aggregations: [{function: last, column: at, windows: [7d]}, {function: count, by: customer, max_groups: 5, windows: [7d]}]}
)";

TEST_F(Commands, ValidateShowsParametersAndInputs) {
  const std::string path = file("job.yaml", kLiveJob);
  const Outcome got = outcome(ValidateCommand{path}, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk) << got.err;
  for (const char* line :
       {"payments  kafka                     ?", "logins    files, followed           0",
        "payments  pay    b:9092   json    earliest  tidemill.live  10m",
        "customer  customer  payments         5  7d, before that a summary",
        "customer.terminal_last_n_lifetime    lifetime                         right   0s      "
        "list of "
        "STRING                   n: 5\n",
        "customer.terminal_count_distinct_7d  7d                               right   0s      "
        "INT64   "
        "                         exact_up_to: 10000\n",
        "customer.day_1d                      1d every 1d in Europe/Berlin     left    0s      "
        "STRING  "
        "                \"none\"\n",
        "customer.terminal_histogram_session  session, gap 30m, max_length 1d  right   0s      map "
        "of "
        "STRING to INT64           max_values: 1000\n",
        "seen.count_by_customer_7d            7d                               right   0s      map "
        "of "
        "STRING to INT64           by: customer, max_groups: 5\n",
        "\ntime zones are those of this machine's tzdata, 20"}) {
    EXPECT_NE(got.out.find(line), std::string::npos) << line << "\n" << got.out;
  }
  EXPECT_NE(got.out.find("/logins.csv\n"), std::string::npos) << got.out;
  EXPECT_EQ(got.out.find("secret"), std::string::npos);
  const Outcome raw = outcome(ValidateCommand{path}, {server_.url(), true});
  const nlohmann::json described = nlohmann::json::parse(raw.out);
  EXPECT_EQ(described["sources"][0]["group"], "tidemill.live");
  EXPECT_EQ(described["sources"][0]["start"], "earliest");
  EXPECT_EQ(described["sources"][1]["follow"], true);
  const nlohmann::json& view = described["views"][0];
  EXPECT_EQ(view["definitions"][0]["n"], 5);
  EXPECT_EQ(view["definitions"][1]["window"], "lifetime");
  EXPECT_EQ(view["definitions"][2]["exact_up_to"], 10000);
  EXPECT_EQ(view["definitions"][3]["closed"], "left");
  EXPECT_EQ(view["definitions"][3]["default"], "none");
  EXPECT_EQ(view["definitions"][4]["map_key"], "STRING");
  EXPECT_EQ(view["definitions"][4]["max_values"], 1000);
  EXPECT_EQ(described["views"][1]["definitions"][1]["by"], "customer");
  EXPECT_EQ(described["views"][1]["definitions"][1]["max_groups"], 5);
  EXPECT_NE(described["time_zone_rules"], "");
  EXPECT_EQ(view["order"], nlohmann::json({"at", "terminal"}));
  EXPECT_EQ(raw.out.find("secret"), std::string::npos);
}

TEST_F(Commands, ValidateSaysWhatAJobCosts) {
  const std::string path = file("job.yaml", kLiveJob);
  const Outcome got = outcome(ValidateCommand{path}, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk) << got.err;
  for (const char* part :
       {"PARTITIONS NOW  STATE PER EVENT", "payments  asked at submit, may grow", "7d + 1h",
        "customer.terminal_count_distinct", "rows of lists", "exact_up_to: 10000 (default)",
        "a standard error of 1 %", "no key is split",
        "customer, with all that the views over it need: customer, seen"}) {
    EXPECT_NE(got.out.find(part), std::string::npos) << part << "\n" << got.out;
  }
  const auto cost = nlohmann::json::parse(outcome(ValidateCommand{path}, {"", true}).out)["cost"];
  EXPECT_TRUE(cost["sources"][0]["partitions"].is_null());
  EXPECT_EQ(cost["sources"][1]["partitions"], 0);
  EXPECT_EQ(cost["state"][0]["retention"], "7d");
  EXPECT_EQ(cost["state"][0]["for_ever"][0]["features"],
            nlohmann::json({"customer.terminal_last_n_lifetime"}));
  EXPECT_EQ(cost["hot_keys"]["split"], false);
}

TEST_F(Commands, ValidateRunsAJobOnASample) {
  file("a.csv", "event_time,customer_id,amount\n");
  ValidateCommand command{file("job.yaml", kJob)};
  command.sample = file("sample.csv",
                        "event_time,customer_id,amount\n"
                        "2018-04-01T00:00:00Z,a,1\n"
                        "2018-04-01T00:30:00Z,b,1\n"
                        "soon,b,1\n"
                        "2018-04-02T00:00:00Z,a,1\n");
  command.keys = 1;
  const Outcome got = outcome(command, global_);
  EXPECT_EQ(got.exit, ExitCode::kOk) << got.err;
  for (const char* part :
       {"sample.csv: 3 events from 2018-04-01T00:00:00Z to 2018-04-02T00:00:00Z, 1 bad",
        "   4  unparsable", "customer_id     2     3       1.5     2",
        "as of 2018-04-02T00:00:00Z\n"
        "FEATURE            customer_id=a\n"
        "customer.count_1h              1\n"
        "customer.count_7d              2\n"}) {
    EXPECT_NE(got.out.find(part), std::string::npos) << part << "\n" << got.out;
  }
  const auto sample = nlohmann::json::parse(outcome(command, {"", true}).out)["sample"];
  EXPECT_EQ(sample["events"], 3);
  EXPECT_EQ(sample["first_bad"][0]["line"], 4);
  EXPECT_EQ(sample["keys"][0]["features"],
            nlohmann::json({{"customer.count_1h", 1}, {"customer.count_7d", 2}}));
  // Rows are kept for 7 d and 1 h; the sample spans a day.
  EXPECT_DOUBLE_EQ(sample["state"][0]["expected_rows_per_key"], 1.5 * (7 + 1.0 / 24));
  command.source = "nobody";
  EXPECT_EQ(outcome(command, global_).exit, ExitCode::kUsage);
}

}  // namespace
}  // namespace tidemill::cli
