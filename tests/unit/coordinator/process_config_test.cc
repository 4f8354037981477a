#include "shared/net/process_config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "coordinator/options.h"

namespace tidemill {
namespace {

namespace fs = std::filesystem;

class ProcessConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = fs::path(::testing::TempDir()) /
            ("tidemill_config_" + std::to_string(::getpid()) + "_" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".yaml");
    config_.text("name", &name_, "a name", ProcessConfig::Presence::kRequired);
    config_.number("wait-ms", &wait_ms_, {"how long to wait", "ms", 10, 1000});
    config_.flag("eager", &eager_, "do it at once");
  }
  void TearDown() override { fs::remove(file_); }

  Result<ProcessConfig::Outcome> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "tool");
    return config_.parse(static_cast<int>(arguments.size()), arguments.data());
  }
  Result<ProcessConfig::Outcome> parse_file(const std::string& text) {
    std::ofstream(file_) << text;
    const std::string path = file_.string();
    return parse({"--config", path.c_str()});
  }

  fs::path file_;
  std::string name_;
  int64_t wait_ms_ = 100;
  bool eager_ = false;
  ProcessConfig config_{"tool", "Does things."};
};

TEST_F(ProcessConfigTest, TakesTheCommandLine) {
  ASSERT_TRUE(parse({"--name", "x", "--wait-ms=20", "--eager", "true"}).ok());
  EXPECT_EQ(name_, "x");
  EXPECT_EQ(wait_ms_, 20);
  EXPECT_TRUE(eager_);
}

TEST_F(ProcessConfigTest, TheCommandLineGoesBeforeTheFile) {
  std::ofstream(file_) << "# comment\nname: from file\nwait-ms: 30\n";
  const std::string path = file_.string();
  ASSERT_TRUE(parse({"--config", path.c_str(), "--wait-ms", "40"}).ok());
  EXPECT_EQ(name_, "from file");
  EXPECT_EQ(wait_ms_, 40);
  EXPECT_FALSE(eager_);
}

TEST_F(ProcessConfigTest, FileErrorsNameTheLine) {
  const struct {
    const char* text;
    const char* expected;
  } kCases[] = {{"name: x\nwait: 5\n", ".yaml:2: unknown option 'wait'"},
                {"name: x\nwait-ms: 5\n", ".yaml:2: wait-ms must be a whole number of ms"},
                {"name: x\nwait-ms: 50ms\n", ".yaml:2: wait-ms must be"},
                {"name: x\n\neager: yes\n", ".yaml:3: must be true or false"},
                {"name: x\nname: y\n", ".yaml:2: 'name' is on line 1 already"},
                {"name: [x]\n", ".yaml:1: a list"},
                {"name: {a: b}\n", ".yaml:1: a mapping"},
                {"name: &a x\nwait-ms: *a\n", ".yaml:1: an anchor"},
                {"- name\n", ".yaml:1: a list"},
                {"name\n", ".yaml:1: the file must be a mapping"},
                {"{name: x\n", ".yaml:"},
                {"name:\n", ".yaml:1: must not be empty"}};
  for (const auto& c : kCases) {
    const auto outcome = parse_file(c.text);
    ASSERT_FALSE(outcome.ok()) << c.text;
    EXPECT_NE(outcome.error().message().find(c.expected), std::string::npos)
        << outcome.error().message();
  }
  EXPECT_EQ(name_, "");
  EXPECT_EQ(wait_ms_, 100);
}

TEST_F(ProcessConfigTest, AnEmptyFileIsNoError) {
  std::ofstream(file_) << "# nothing\n";
  const std::string path = file_.string();
  EXPECT_TRUE(parse({"--config", path.c_str(), "--name", "x"}).ok());
}

TEST_F(ProcessConfigTest, CommandLineErrors) {
  EXPECT_FALSE(parse({}).ok());
  EXPECT_FALSE(parse({"--name", "x", "--unknown", "1"}).ok());
  EXPECT_FALSE(parse({"--name", "x", "--wait-ms", "1001"}).ok());
  EXPECT_FALSE(parse({"--name", "x", "--config", "/nowhere/at/all.yaml"}).ok());
  EXPECT_FALSE(parse({"--name", "x", "stray"}).ok());
}

TEST_F(ProcessConfigTest, HelpEndsTheProcess) {
  const auto outcome = parse({"--help"});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(*outcome, ProcessConfig::Outcome::kExit);
}

TEST(HostPort, Parses) {
  EXPECT_EQ(parse_host_port("127.0.0.1:80")->port, 80);
  EXPECT_EQ(parse_host_port("[::1]:80")->host, "::1");
  for (const char* bad : {"", "80", ":80", "a:", "a:x", "a:70000", "a:80x"}) {
    EXPECT_FALSE(parse_host_port(bad).ok()) << bad;
  }
}

// config/coordinator.yaml names every option, with its default.
TEST(CoordinatorOptions, TheExampleConfigHoldsTheDefaults) {
  CoordinatorOptions read;
  ProcessConfig config("tidemill-coordinator", "");
  add_options(&config, &read);
  const char* arguments[] = {"tool", "--config", "config/coordinator.yaml"};
  const auto outcome = config.parse(3, arguments);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  const CoordinatorOptions defaults;
  EXPECT_FALSE(read.data_dir.empty());
  EXPECT_EQ(read.listen, defaults.listen);
  EXPECT_EQ(read.http, defaults.http);
  EXPECT_EQ(read.advertise_http, defaults.advertise_http);
  EXPECT_EQ(read.etcd, defaults.etcd);
  EXPECT_EQ(read.etcd_prefix, defaults.etcd_prefix);
  EXPECT_EQ(read.etcd_ttl_s, defaults.etcd_ttl_s);
  EXPECT_EQ(read.coordinator.dead_letters, defaults.coordinator.dead_letters);
  EXPECT_EQ(read.coordinator.lease_ms, defaults.coordinator.lease_ms);
  EXPECT_EQ(read.coordinator.tick_ms, defaults.coordinator.tick_ms);
  EXPECT_EQ(read.coordinator.join_settle_ms, defaults.coordinator.join_settle_ms);
  EXPECT_EQ(read.coordinator.max_members, defaults.coordinator.max_members);
  EXPECT_EQ(read.coordinator.max_jobs, defaults.coordinator.max_jobs);
  EXPECT_EQ(read.coordinator.max_stopped_jobs, defaults.coordinator.max_stopped_jobs);
  EXPECT_EQ(read.coordinator.max_job_bytes, defaults.coordinator.max_job_bytes);
  std::ifstream in("config/coordinator.yaml");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  for (const auto& name : config.names()) {
    EXPECT_NE(text.find("\n" + name + ": "), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace tidemill
