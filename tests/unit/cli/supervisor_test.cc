#include "cli/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/clock.h"
#include "cli/down.h"
#include "tests/unit/cli/fake_server.h"

namespace tidemill::cli {
namespace {

constexpr int64_t kPatienceMs = 20'000;

// Programs of the product's names that do as little as a supervisor can tell: they print that they
// are ready, register their pid, and wait for SIGTERM. The test's own server answers as the
// coordinator, from the registered pids.
class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() /
           ("tidemill_supervisor_test_" + std::to_string(getpid()));
    std::filesystem::create_directories(dir_ / "bin");
    std::filesystem::create_directories(dir_ / "pids");
    auto server = HttpServer::start({}, [this](const HttpRequest&, const HttpResponder& respond) {
      respond({200, "application/json", members()});
    });
    ASSERT_TRUE(server.ok());
    server_ = std::move(server).value();
    const std::string http = "127.0.0.1:" + std::to_string(server_->port());
    program("tidemill-coordinator", "echo \"ready endpoint=tcp://127.0.0.1:5 http=" + http + "\"");
    program("tidemill-worker", "echo \"ready endpoint=tcp://127.0.0.1:6 http=\"");
    program("tidemill-store", "echo \"ready endpoint=tcp://127.0.0.1:7 http=127.0.0.1:8\"");
    config_.dir = (dir_ / "run").string();
    config_.programs = (dir_ / "bin").string();
    config_.workers = 2;
    config_.start_timeout_ms = kPatienceMs;
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  void program(const std::string& name, const std::string& when_started) {
    const std::string path = (dir_ / "bin" / name).string();
    std::ofstream(path) << "#!/bin/bash\ntrap 'exit 0' TERM\necho \"args $*\"\n"
                        << "touch " << (dir_ / "pids").string() << "/$$\n"
                        << when_started << "\nwhile true; do sleep 0.02; done\n";
    chmod(path.c_str(), 0755);
  }

  std::string members() const {
    std::string out = "{\"members\":[";
    for (const auto& entry : std::filesystem::directory_iterator(dir_ / "pids")) {
      out += std::string(out.back() == '[' ? "" : ",") +
             "{\"alive\":true,\"pid\":" + entry.path().filename().string() + "}";
    }
    return out + "]}";
  }

  ClusterFile recorded() const {
    const auto file = ClusterFile::load(config_.dir);
    return file.ok() ? *file : ClusterFile{};
  }

  template <typename Condition>
  static bool eventually(Condition condition) {
    const int64_t deadline_ms = monotonic_ms() + kPatienceMs;
    while (!condition()) {
      if (monotonic_ms() > deadline_ms) return false;
      sleep_ms(5);
    }
    return true;
  }

  static std::string content(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path dir_;
  std::unique_ptr<HttpServer> server_;
  SupervisorConfig config_;
};

TEST_F(SupervisorTest, StartsAllAndEndsAll) {
  Supervisor supervisor(config_);
  ASSERT_TRUE(supervisor.lock().ok());
  const Status started = supervisor.start();
  ASSERT_TRUE(started.ok()) << started.error().message();
  const ClusterFile cluster = recorded();
  ASSERT_EQ(cluster.processes.size(), 4u);
  EXPECT_EQ(cluster.coordinator, "http://127.0.0.1:" + std::to_string(server_->port()));
  EXPECT_EQ(cluster.store, "http://127.0.0.1:8");
  EXPECT_EQ(cluster.processes[1].name, "worker-1");
  EXPECT_EQ(cluster.processes[1].endpoint, "tcp://127.0.0.1:6");
  for (const ClusterProcess& process : cluster.processes) EXPECT_TRUE(is_running(process.id));
  EXPECT_NE(content(cluster.processes[0].log)
                .find("--listen tcp://127.0.0.1:7071 --http "
                      "127.0.0.1:7070"),
            std::string::npos);
  EXPECT_NE(content(cluster.processes[3].log)
                .find("--coordinator tcp://127.0.0.1:5 --http "
                      "127.0.0.1:7080"),
            std::string::npos);
  const std::string shared =
      "--dead-letters " + config_.dir + "/dead-letters --snapshots " + config_.dir + "/snapshots";
  for (const size_t reads_or_writes : {0, 1, 2}) {
    EXPECT_NE(content(cluster.processes[reads_or_writes].log).find(shared), std::string::npos);
  }
  EXPECT_NE(content(cluster.processes[3].log).find("--snapshots " + config_.dir + "/snapshots"),
            std::string::npos);
  for (const size_t member : {1, 2, 3}) {
    const std::string own = "--data-dir " + config_.dir + "/" + cluster.processes[member].name;
    EXPECT_NE(content(cluster.processes[member].log).find(own + "\n"), std::string::npos);
  }
  supervisor.stop();
  for (const ClusterProcess& process : cluster.processes) EXPECT_FALSE(is_running(process.id));
  EXPECT_FALSE(ClusterFile::load(config_.dir).ok());
}

TEST_F(SupervisorTest, StartsAgainWhatDied) {
  Supervisor supervisor(config_);
  ASSERT_TRUE(supervisor.lock().ok());
  ASSERT_TRUE(supervisor.start().ok());
  const ClusterFile first = recorded();
  bool again = false;
  std::thread killer([&] {
    send_signal(first.processes[1].id, SIGKILL);
    again = eventually([&] {
      const ClusterFile now = recorded();
      return now.processes.size() == 4 && now.processes[1].id.pid != first.processes[1].id.pid &&
             is_running(now.processes[1].id);
    });
    kill(getpid(), SIGTERM);
  });
  testing::internal::CaptureStdout();
  supervisor.run();
  killer.join();
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(again);
  EXPECT_NE(said.find("worker-1 (pid " + std::to_string(first.processes[1].id.pid) +
                      ") ended by signal 9; starting it again in 500 ms"),
            std::string::npos)
      << said;
  EXPECT_TRUE(is_running(recorded().processes[2].id));
  EXPECT_EQ(recorded().processes[2].id.pid, first.processes[2].id.pid);
}

TEST_F(SupervisorTest, LeavesTheDeadAloneIfToldTo) {
  config_.restart = false;
  Supervisor supervisor(config_);
  ASSERT_TRUE(supervisor.lock().ok());
  ASSERT_TRUE(supervisor.start().ok());
  const ProcessId worker = recorded().processes[1].id;
  testing::internal::CaptureStdout();
  std::thread killer([&] {
    send_signal(worker, SIGKILL);
    eventually([&] { return identify(worker.pid).start_time == 0; });  // it has been waited for
    kill(getpid(), SIGTERM);
  });
  supervisor.run();
  killer.join();
  EXPECT_NE(testing::internal::GetCapturedStdout().find("it is not started again"),
            std::string::npos);
  EXPECT_EQ(recorded().processes[1].id.pid, worker.pid);
}

TEST_F(SupervisorTest, SaysWhyAProcessDidNotStart) {
  program("tidemill-store", "echo 'cannot listen on 127.0.0.1:7080'; exit 4");
  Supervisor supervisor(config_);
  ASSERT_TRUE(supervisor.lock().ok());
  const Status started = supervisor.start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().message().find("store ended with code 4"), std::string::npos);
  EXPECT_NE(started.error().message().find("cannot listen on 127.0.0.1:7080"), std::string::npos);
  for (const auto& entry : std::filesystem::directory_iterator(dir_ / "pids")) {
    EXPECT_EQ(identify(std::stoi(entry.path().filename().string())).start_time, 0u);
  }
}

TEST_F(SupervisorTest, SaysWhichProgramIsMissing) {
  std::filesystem::remove(dir_ / "bin" / "tidemill-worker");
  Supervisor supervisor(config_);
  ASSERT_TRUE(supervisor.lock().ok());
  const Status started = supervisor.start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().message().find("bin/tidemill-worker"), std::string::npos);
}

TEST_F(SupervisorTest, KillsWhatDoesNotEnd) {
  program("tidemill-worker", "trap '' TERM; echo 'ready endpoint=tcp://127.0.0.1:6'");
  config_.workers = 1;
  Supervisor supervisor(config_);
  ASSERT_TRUE(supervisor.lock().ok());
  ASSERT_TRUE(supervisor.start().ok());
  const ProcessId worker = recorded().processes[1].id;
  supervisor.stop();
  EXPECT_FALSE(is_running(worker));
}

TEST_F(SupervisorTest, OneClusterPerDirectory) {
  Supervisor first(config_);
  ASSERT_TRUE(first.lock().ok());
  Supervisor second(config_);
  const Status locked = second.lock();
  ASSERT_FALSE(locked.ok());
  EXPECT_NE(locked.error().message().find("tidemill down"), std::string::npos);
}

TEST_F(SupervisorTest, DownEndsWhatIsRecorded) {
  DownCommand down{config_.dir};
  testing::internal::CaptureStderr();
  EXPECT_EQ(down.run({}), ExitCode::kFailed);
  testing::internal::GetCapturedStderr();

  std::filesystem::create_directories(config_.dir);
  ChildSpec spec{(dir_ / "bin" / "tidemill-worker").string(), {}, (dir_ / "log").string()};
  const auto left = start_child(spec);
  ASSERT_TRUE(left.ok());
  ASSERT_TRUE(eventually([&] { return find_ready_line(spec.log, 0).found; }));
  ClusterFile cluster;
  cluster.supervisor = {left->pid, left->start_time + 1};  // another process has its pid by now
  cluster.processes.push_back({"worker-1", *left, "", "", spec.log});
  ASSERT_TRUE(cluster.save(config_.dir).ok());
  testing::internal::CaptureStdout();
  EXPECT_EQ(down.run({}), ExitCode::kOk);
  testing::internal::GetCapturedStdout();
  EXPECT_FALSE(is_running(*left));
  EXPECT_FALSE(ClusterFile::load(config_.dir).ok());
}

TEST_F(SupervisorTest, ReadsTheReadyLineOfThisStartOnly) {
  const std::string log = (dir_ / "log").string();
  const std::string old = "ready endpoint=tcp://old http=127.0.0.1:1\n";
  std::ofstream(log) << old << "ready endpoint=tcp://new http=http://127.0.0.1:2\n";
  EXPECT_EQ(find_ready_line(log, old.size()).endpoint, "tcp://new");
  EXPECT_EQ(find_ready_line(log, old.size()).http, "127.0.0.1:2");
  std::ofstream(log) << "starting\nready endpoint=tcp://ha";  // half a line
  EXPECT_FALSE(find_ready_line(log, 0).found);
  std::ofstream(log) << "ready endpoint=tcp://x http=-\n";
  EXPECT_EQ(find_ready_line(log, 0).http, "");
}

}  // namespace
}  // namespace tidemill::cli
