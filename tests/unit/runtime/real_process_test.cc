#include "shared/runtime/real/real_process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>

#include "shared/base/memory_account.h"
#include "tests/unit/runtime/runtime_under_test.h"

namespace tidemill {
namespace {

constexpr ActorId kSelf{0, 1};

std::unique_ptr<RealProcess> make_process(RealProcessConfig config) {
  auto process = RealProcess::create(config);
  EXPECT_TRUE(process.ok());
  spawn_watchdog(**process);
  return std::move(*process);
}

RealProcessConfig quiet_config() {
  RealProcessConfig config;
  config.handle_signals = false;
  return config;
}

TEST(RealProcess, SaysWhatIsWrongWithTheAddress) {
  RealProcessConfig config = quiet_config();
  config.listen = "127.0.0.1:0";
  const auto bad = RealProcess::create(config);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code(), ErrorCode::kUser);
  EXPECT_NE(bad.error().message().find("tcp://127.0.0.1:7000"), std::string::npos);

  config.listen = "tcp://0.0.0.0:0";
  const auto wildcard = RealProcess::create(config);
  ASSERT_FALSE(wildcard.ok());
  EXPECT_NE(wildcard.error().message().find("advertise"), std::string::npos);

  config.shards = 0;
  EXPECT_FALSE(RealProcess::create(config).ok());
}

TEST(RealProcess, TellsItsActualEndpoint) {
  RealProcessConfig config = quiet_config();
  auto first = make_process(config);
  EXPECT_TRUE(first->endpoint().starts_with("tcp://127.0.0.1:"));
  EXPECT_FALSE(first->endpoint().ends_with(":0"));
  config.listen = first->endpoint();
  const auto second = RealProcess::create(config);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message().find("in use"), std::string::npos);

  config.listen = "tcp://0.0.0.0:0";
  config.advertise_host = "worker-3.example";
  auto advertised = make_process(config);
  EXPECT_TRUE(advertised->endpoint().starts_with("tcp://worker-3.example:"));
}

TEST(RealProcess, NodesAreRandomUnlessGiven) {
  RealProcessConfig config = quiet_config();
  const auto a = make_process(config);
  const auto b = make_process(config);
  EXPECT_NE(a->node(), b->node());
  EXPECT_GT(a->node().value, 1u);
  config.node = NodeId{1};
  EXPECT_EQ(make_process(config)->node(), NodeId{1});
}

TEST(RealProcess, AnActorWhoseMessagesTakeLongLeavesOthersTheirTurn) {
  constexpr ActorId kOther{0, 2};
  RealProcessConfig config = quiet_config();
  config.turn_us = 2'000;
  auto process = make_process(config);
  int handled = 0;
  int handled_before_other = -1;
  process->spawn(kSelf, [&](Runtime& r) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_start = [&r] {
      for (uint64_t i = 0; i < 30; ++i) {
        r.post_local(kSelf, kSelf, std::make_unique<NumberPayload>(i));
      }
      r.post_local(kSelf, kOther, std::make_unique<NumberPayload>(0));
    };
    actor->on_message = [&](Message) {
      const int64_t end_us = r.monotonic_us() + 1'000;
      while (r.monotonic_us() < end_us) {
      }
      if (++handled == 30) r.stop(0, "all are handled");
    };
    return actor;
  });
  process->spawn(kOther, [&](Runtime&) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_message = [&](Message) { handled_before_other = handled; };
    return actor;
  });
  EXPECT_EQ(process->run(), 0);
  EXPECT_GE(handled_before_other, 1);
  EXPECT_LE(handled_before_other, 3);
}

TEST(RealProcess, WhatWaitsInMailboxesIsAccountedFor) {
  const auto network = [] { return MemoryAccount::bytes(MemoryConsumer::kNetwork); };
  const uint64_t before = network();
  auto process = make_process(quiet_config());
  std::vector<uint64_t> waiting;
  process->spawn(kSelf, [&](Runtime& r) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_start = [&r] {
      for (uint64_t i = 0; i < 4; ++i) r.send(kSelf, {r.node(), kSelf}, 1, numbered_body(i, 1'000));
    };
    actor->on_message = [&](Message) {
      waiting.push_back(network() - before);
      if (waiting.size() == 3) r.stop(0, "one is left");
    };
    return actor;
  });
  EXPECT_EQ(process->run(), 0);
  ASSERT_GE(waiting.size(), 3u);
  waiting.resize(3);
  EXPECT_EQ(waiting, (std::vector<uint64_t>{3'000, 2'000, 1'000}));
  process.reset();
  EXPECT_EQ(network(), before);
}

TEST(RealProcess, SigtermEndsItInAnOrderlyWay) {
  RealProcessConfig config;
  auto process = make_process(config);
  bool destroyed = false;
  struct Ended : LambdaActor {
    explicit Ended(bool* d) : destroyed(d) {}
    ~Ended() override { *destroyed = true; }
    bool* destroyed;
  };
  process->spawn(kSelf, [&](Runtime&) {
    auto actor = std::make_unique<Ended>(&destroyed);
    actor->on_start = [] { kill(getpid(), SIGTERM); };
    return actor;
  });
  EXPECT_EQ(process->run(), 0);
  EXPECT_TRUE(destroyed);
}

// An actor that watches stops, and does `asked` when it is told.
void spawn_stop_watcher(RealProcess& process, std::function<void(Runtime&)> asked) {
  process.spawn(kSelf, [asked](Runtime& r) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_start = [&r] {
      r.watch_stop(kSelf);
      kill(getpid(), SIGTERM);
    };
    actor->on_message = [&r, asked](Message message) {
      const auto* stop = dynamic_cast<const StopAsked*>(message.local.get());
      if (stop != nullptr && stop->reason == "SIGTERM") asked(r);
    };
    return actor;
  });
}

TEST(RealProcess, AnActorMaySayGoodbyeBeforeTheProcessEnds) {
  RealProcessConfig config;
  config.stop_grace_ms = 60'000;
  auto process = make_process(config);
  spawn_stop_watcher(*process, [](Runtime& r) { r.stop(3, "said goodbye"); });
  EXPECT_EQ(process->run(), 3);
}

TEST(RealProcess, AnActorThatDoesNotStopIsNotWaitedForLong) {
  RealProcessConfig config;
  config.stop_grace_ms = 20;
  auto process = make_process(config);
  bool asked = false;
  spawn_stop_watcher(*process, [&](Runtime&) { asked = true; });
  EXPECT_EQ(process->run(), 0);
  EXPECT_TRUE(asked);
}

TEST(RealProcess, TheSecondSignalDoesNotWait) {
  RealProcessConfig config;
  config.stop_grace_ms = 60'000;
  auto process = make_process(config);
  spawn_stop_watcher(*process, [](Runtime&) { kill(getpid(), SIGTERM); });
  EXPECT_EQ(process->run(), 0);
}

TEST(RealProcess, AStopBeforeRunEndsRunAtOnce) {
  auto process = make_process(quiet_config());
  process->stop(7, "early");
  EXPECT_EQ(process->run(), 7);
}

TEST(RealProcess, ThreadsOutsideInjectAndLoseNothingAccepted) {
  constexpr uint64_t kThreads = 3;
  constexpr uint64_t kEach = 5'000;
  auto process = make_process(quiet_config());
  std::array<uint64_t, kThreads> next{};
  uint64_t received = 0;
  uint64_t wrong = 0;
  process->spawn(
      kSelf,
      [&](Runtime& r) {
        auto actor = std::make_unique<LambdaActor>();
        actor->on_message = [&](Message m) {
          const uint64_t thread = number_of(m) / kEach;
          if (m.from.actor != kOutsideActor || number_of(m) % kEach != next[thread]++) ++wrong;
          if (++received == kThreads * kEach) r.stop(0, "done");
        };
        return actor;
      },
      100);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach;) {
        const SendResult sent =
            process->post_from_outside(kSelf, std::make_unique<NumberPayload>(t * kEach + i));
        if (sent == SendResult::kAccepted) {
          ++i;
        } else {
          std::this_thread::yield();
        }
      }
    });
  }
  EXPECT_EQ(process->run(), 0);
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(received, kThreads * kEach);
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(process->post_from_outside(kSelf, std::make_unique<NumberPayload>(0)),
            SendResult::kClosed);
}

TEST(RealProcess, ABusyActorLeavesOthersTheirTurns) {
  // One actor that always has messages does not keep another, or a timer, from its own.
  auto process = make_process(quiet_config());
  const ActorId busy{0, 1};
  const ActorId other{0, 2};
  process->spawn(busy, [&](Runtime& r) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_start = [&r, busy] {
      for (int i = 0; i < 200; ++i) r.send(busy, {r.node(), busy}, 1, Buffer());
    };
    actor->on_message = [&r, busy](Message) { r.send(busy, {r.node(), busy}, 1, Buffer()); };
    return actor;
  });
  int echoes = 0;
  process->spawn(other, [&](Runtime& r) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_start = [&r, other] { r.send(other, {r.node(), other}, 1, Buffer()); };
    actor->on_message = [&, other](Message) {
      if (++echoes < 100) {
        r.send(other, {r.node(), other}, 1, Buffer());
      } else {
        r.start_timer(other, 1'000, 1);
      }
    };
    actor->on_token = [&r](uint64_t) { r.stop(0, "done"); };
    return actor;
  });
  EXPECT_EQ(process->run(), 0);
  EXPECT_EQ(echoes, 100);
}

TEST(RealProcess, StoppingForgetsQueuedWorkAndWaitsForWhatRuns) {
  RealProcessConfig config = quiet_config();
  config.blocking_threads = 1;
  auto process = make_process(config);
  std::promise<void> running;
  std::promise<void> stopping;
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
  process->spawn(kSelf, [&](Runtime& r) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_start = [&] {
      for (int i = 0; i < 10; ++i) {
        r.run_blocking(kSelf, 0, [&]() -> std::unique_ptr<LocalPayload> {
          if (begun.fetch_add(1) == 0) {
            running.set_value();
            stopping.get_future().wait();
          }
          ++ended;
          return nullptr;
        });
      }
    };
    return actor;
  });
  std::thread stopper([&] {
    running.get_future().wait();
    process->stop(0, "test");
    stopping.set_value();
  });
  EXPECT_EQ(process->run(), 0);
  stopper.join();
  EXPECT_EQ(begun, ended);
  EXPECT_GE(ended, 1);
}

TEST(RealProcess, HangingWorkCannotKeepTheProcessAlive) {
  EXPECT_EXIT(
      {
        RealProcessConfig config = quiet_config();
        config.stop_deadline_ms = 50;
        auto process = make_process(config);
        process->spawn(kSelf, [](Runtime& r) {
          auto actor = std::make_unique<LambdaActor>();
          actor->on_start = [&r] {
            r.run_blocking(kSelf, 0, [&r]() -> std::unique_ptr<LocalPayload> {
              r.stop(0, "while work hangs");
              std::promise<void> never;
              never.get_future().wait();
              return nullptr;
            });
          };
          return actor;
        });
        process->run();
        std::_Exit(0);
      },
      testing::ExitedWithCode(1), "stop_deadline_passed");
}

}  // namespace
}  // namespace tidemill
