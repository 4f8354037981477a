#include "cli/api.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "cli/cluster_file.h"
#include "tests/unit/cli/fake_server.h"

namespace tidemill::cli {
namespace {

TEST(Call, TurnsEachFailureIntoItsExitCode) {
  FakeServer server;
  server.answer("GET /ok", 200, R"({"a":1})");
  server.answer("GET /bad", 400, R"({"error":{"message":"write b"}})");
  server.answer("GET /busy", 503, "no JSON");
  server.answer("GET /page", 200, "<html>");
  EXPECT_TRUE(call("GET", server.url() + "/ok").ok());
  const Reply bad = call("GET", server.url() + "/bad");
  EXPECT_EQ(bad.exit, ExitCode::kUsage);
  EXPECT_EQ(bad.message, "write b");
  const Reply busy = call("GET", server.url() + "/busy");
  EXPECT_EQ(busy.exit, ExitCode::kFailed);
  EXPECT_EQ(busy.message, "HTTP status 503");
  EXPECT_EQ(call("GET", server.url() + "/absent").exit, ExitCode::kFailed);
  EXPECT_EQ(call("GET", server.url() + "/page").exit, ExitCode::kFailed);
  EXPECT_EQ(call("GET", "http://127.0.0.1:1/").exit, ExitCode::kUnreachable);
  EXPECT_EQ(call("GET", "nonsense").exit, ExitCode::kUsage);
}

TEST(CoordinatorUrl, IsWhatWasGivenElseTheClusterFilesElseTheDefault) {
  const auto dir =
      std::filesystem::temp_directory_path() / ("tidemill_api_test_" + std::to_string(getpid()));
  const auto home = std::filesystem::current_path();
  std::filesystem::create_directories(dir / "run");
  std::filesystem::current_path(dir);
  using Urls = std::vector<std::string>;
  EXPECT_EQ(coordinator_urls({}), (Urls{"http://127.0.0.1:7070"}));
  ClusterFile cluster;
  cluster.coordinator = "http://127.0.0.1:9";
  ASSERT_TRUE(cluster.save("run").ok());
  EXPECT_EQ(coordinator_urls({}), (Urls{"http://127.0.0.1:9"}));
  EXPECT_EQ(coordinator_urls({"example.org:80/", false}), (Urls{"http://example.org:80"}));
  EXPECT_EQ(coordinator_urls({"a:1,http://b:2/,", false}), (Urls{"http://a:1", "http://b:2"}));
  std::filesystem::current_path(home);
  std::filesystem::remove_all(dir);
}

// A coordinator that stands by, and knows who leads; empty: nobody.
void stand_by(FakeServer* server, const std::string& leader) {
  const std::string body = R"({"error":{"message":"stands by"},"leader":")" + leader + R"("})";
  server->answer("GET /health", 503, body);
  server->answer("GET /v1/jobs", leader.empty() ? 503 : 307, body);
  server->answer("POST /v1/jobs", 503, body);
}

void lead(FakeServer* server) {
  server->answer("GET /health", 200, R"({"status":"ok"})");
  server->answer("GET /v1/jobs", 200, R"({"jobs":[]})");
  server->answer("POST /v1/jobs", 201, R"({"id":1})");
}

TEST(Coordinators, TheOneThatLeadsIsAskedWhicheverIsNamed) {
  FakeServer standby;
  FakeServer leader;
  stand_by(&standby, leader.url());
  lead(&leader);
  const std::string nobody = "127.0.0.1:1";
  for (const std::string& list :
       {standby.url(), standby.url() + "," + leader.url(), leader.url() + "," + standby.url(),
        nobody + "," + standby.url(), nobody + "," + leader.url()}) {
    const GlobalOptions global{list, false};
    EXPECT_TRUE(get_coordinator(global, "/v1/jobs").ok()) << list;
    EXPECT_EQ(post_coordinator(global, "/v1/jobs", "job").status, 201) << list;
  }
  EXPECT_EQ(get_coordinator({nobody + "," + nobody, false}, "/v1/jobs").exit,
            ExitCode::kUnreachable);
}

TEST(Coordinators, ATakeoverIsWaitedFor) {
  FakeServer standby;
  stand_by(&standby, "");
  standby.answer("GET /health", 200, R"({"status":"ok"})");
  standby.answer("GET /v1/jobs", 200, R"({"jobs":[]})");
  EXPECT_TRUE(get_coordinator({standby.url(), false}, "/v1/jobs").ok());
}

TEST(FindStore, TakesTheFirstThatIsAlive) {
  FakeServer server;
  const GlobalOptions global{server.url(), false};
  server.answer("GET /v1/cluster", 200, R"({"members":[
      {"role":"worker","http":"127.0.0.1:1","alive":true},
      {"role":"store","http":"127.0.0.1:2","alive":false},
      {"role":"store","http":"127.0.0.1:3","alive":true}]})");
  server.answer("GET /v1/cluster", 200, R"({"members":[]})");
  EXPECT_EQ(find_store(global).message, "http://127.0.0.1:3");
  EXPECT_EQ(find_store(global).exit, ExitCode::kFailed);
}

TEST(Members, HaveDefaults) {
  const auto object = nlohmann::json::parse(R"({"t":"x","n":7,"f":true,"l":[1],"null":null})");
  EXPECT_EQ(text_of(object, "t"), "x");
  EXPECT_EQ(number_of(object, "n"), 7u);
  EXPECT_TRUE(flag_of(object, "f"));
  EXPECT_EQ(list_of(object, "l").size(), 1u);
  for (const char* name : {"absent", "null"}) {
    EXPECT_EQ(text_of(object, name), "");
    EXPECT_EQ(number_of(object, name), 0u);
    EXPECT_FALSE(flag_of(object, name));
    EXPECT_TRUE(list_of(object, name).empty());
  }
  EXPECT_EQ(text_of(nlohmann::json::array(), "t"), "");
}

}  // namespace
}  // namespace tidemill::cli
