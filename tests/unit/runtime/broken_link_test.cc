// What a process learns of the end of another one, a process of its own: from its connection.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/runtime/runtime_under_test.h"

namespace tidemill {
namespace {

using Clock = std::chrono::steady_clock;
constexpr ActorId kSelf{0, 1};
constexpr NodeId kNode{77};

// Runs in a process of its own until it is killed, and writes a byte for each message it gets.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& listen = "tcp://127.0.0.1:0") {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    from_ = ends[0];
    pid_ = fork();
    if (pid_ == 0) run(listen, ends[1]);
    close(ends[1]);
    for (char c = read_byte(); c != '\n' && c != 0; c = read_byte()) endpoint_ += c;
  }
  ~OtherProcess() {
    end();
    close(from_);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  void send_signal(int signal) const { kill(pid_, signal); }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  // 0 if none comes for long.
  char read_byte() const {
    pollfd waiting{from_, POLLIN, 0};
    char byte = 0;
    return poll(&waiting, 1, 10'000) == 1 && read(from_, &byte, 1) == 1 ? byte : '\0';
  }
  const std::string& endpoint() const { return endpoint_; }

 private:
  [[noreturn]] static void run(const std::string& listen, int to) {
    RealProcessConfig config;
    config.node = kNode;
    config.listen = listen;
    config.handle_signals = false;
    auto process = RealProcess::create(config);
    if (!process.ok()) _exit(1);
    (*process)->spawn(kSelf, [to](Runtime&) {
      auto actor = std::make_unique<LambdaActor>();
      actor->on_message = [to](Message) {
        [[maybe_unused]] const ssize_t written = write(to, "m", 1);
      };
      return actor;
    });
    const std::string endpoint = (*process)->endpoint() + "\n";
    [[maybe_unused]] const ssize_t written = write(to, endpoint.data(), endpoint.size());
    (*process)->run();
    _exit(0);
  }

  pid_t pid_ = 0;
  int from_ = -1;
  std::string endpoint_;
};

// Sends a message every few milliseconds and counts what it is told of the link.
class Watcher {
 public:
  explicit Watcher(const std::string& endpoint) {
    RealProcessConfig config;
    config.handle_signals = false;
    process_ = std::move(*RealProcess::create(config));
    spawn_watchdog(*process_);
    process_->spawn(kSelf, [this, endpoint](Runtime& r) {
      auto actor = std::make_unique<LambdaActor>();
      actor->on_start = [&r, endpoint] {
        r.watch_links(kSelf);
        r.connect(kNode, endpoint);
        r.start_timer(kSelf, 0, 0);
      };
      actor->on_token = [&r](uint64_t) {
        r.send(kSelf, {kNode, kSelf}, 1, numbered_body(1));
        r.start_timer(kSelf, 5'000, 0);
      };
      actor->on_message = [this](Message message) {
        const auto* broken = dynamic_cast<const LinkBroken*>(message.local.get());
        if (broken != nullptr && broken->node == kNode) ++told_;
      };
      return actor;
    });
    thread_ = std::thread([this] { process_->run(); });
  }
  ~Watcher() {
    process_->stop(0, "end of scope");
    thread_.join();
  }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  int told() const { return told_; }
  // How long it takes to be told so often; -1 ms: too long.
  std::chrono::milliseconds wait_until_told(int times) const {
    const auto begin = Clock::now();
    while (told_ < times) {
      if (Clock::now() - begin > std::chrono::seconds(20)) return std::chrono::milliseconds(-1);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
  }

 private:
  std::unique_ptr<RealProcess> process_;
  std::atomic<int> told_ = 0;
  std::thread thread_;
};

TEST(BrokenLink, TheEndOfAProcessIsToldOnceForEachOfItsLives) {
  OtherProcess first;
  Watcher watcher(first.endpoint());
  ASSERT_EQ(first.read_byte(), 'm');
  EXPECT_EQ(watcher.told(), 0);
  first.end();
  const auto took = watcher.wait_until_told(1);
  EXPECT_GE(took.count(), 0);
  EXPECT_LT(took.count(), 2'000);  // about 50 ms on a machine that has nothing else to do
  RecordProperty("told_after_ms", std::to_string(took.count()));

  OtherProcess second(first.endpoint());
  ASSERT_EQ(second.read_byte(), 'm');
  EXPECT_EQ(watcher.told(), 1);
  second.end();
  EXPECT_GE(watcher.wait_until_told(2).count(), 0);
}

TEST(BrokenLink, AProcessThatStandsStillIsNoBrokenLink) {
  OtherProcess other;
  Watcher watcher(other.endpoint());
  ASSERT_EQ(other.read_byte(), 'm');
  other.send_signal(SIGSTOP);
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // many times what the end takes
  other.send_signal(SIGCONT);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(other.read_byte(), 'm');
  EXPECT_EQ(watcher.told(), 0);
}

// It may not be there yet.
TEST(BrokenLink, AnEndpointThatNeverWasUpIsNoBrokenLink) {
  std::string endpoint;
  {
    const OtherProcess gone;
    endpoint = gone.endpoint();
  }
  Watcher watcher(endpoint);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_EQ(watcher.told(), 0);
  OtherProcess there(endpoint);
  EXPECT_EQ(there.read_byte(), 'm');
  EXPECT_EQ(watcher.told(), 0);
}

}  // namespace
}  // namespace tidemill
