// What the Runtime promises, held by both implementations.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "shared/runtime/mailbox.h"
#include "tests/unit/runtime/runtime_under_test.h"

namespace tidemill {
namespace {

class BothRuntimes : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Runtime, BothRuntimes, testing::Values(Kind::kReal, Kind::kSim),
                         [](const auto& info) {
                           return info.param == Kind::kReal ? "Real" : "Sim";
                         });

constexpr ActorId kSelf{0, 1};

// One process, whose actor kSelf `make` equips.
int run_one(Kind kind, const std::function<void(Runtime&, LambdaActor&)>& make,
            size_t mailbox_limit = 4096) {
  RuntimeUnderTest test(kind, 1, 1);
  test.member(0).wire = [&](ProcessHost& host) {
    host.spawn(
        kSelf,
        [&](Runtime& runtime) {
          auto actor = std::make_unique<LambdaActor>();
          make(runtime, *actor);
          return actor;
        },
        mailbox_limit);
  };
  return test.run();
}

TEST_P(BothRuntimes, PingPongBetweenShards) {
  RuntimeUnderTest test(GetParam(), 1, 2);
  const ActorId echo{1, 3};
  int rounds = 0;
  test.member(0).wire = [&](ProcessHost& host) {
    host.spawn(echo, [&](Runtime& r) {
      EXPECT_EQ(r.shard(), 1);
      return std::make_unique<Echo>(r, echo);
    });
    host.spawn(kSelf, [&](Runtime& r) {
      auto actor = std::make_unique<LambdaActor>();
      actor->on_start = [&] { r.send(kSelf, {r.node(), echo}, 10, numbered_body(0)); };
      actor->on_message = [&](Message m) {
        EXPECT_EQ(m.type, 11);
        EXPECT_EQ(m.from, (ActorAddress{r.node(), echo}));
        EXPECT_EQ(checked_number(m.body), static_cast<uint64_t>(rounds));
        if (++rounds == 1000) return r.stop(5, "done");
        r.send(kSelf, {r.node(), echo}, 10, numbered_body(static_cast<uint64_t>(rounds)));
      };
      return actor;
    });
  };
  EXPECT_EQ(test.run(), 5);
  EXPECT_EQ(rounds, 1000);
}

struct StreamCase {
  size_t processes;
  uint16_t receiver_shard;
  uint64_t total;
};

void stream(Kind kind, const StreamCase& c) {
  RuntimeUnderTest test(kind, c.processes, 2);
  StreamResult result;
  const ActorId receiver{c.receiver_shard, 2};
  const size_t receiving = c.processes - 1;
  const Member& to = test.member(receiving);
  for (size_t i = 0; i < c.processes; ++i) {
    test.member(i).wire = [&, i](ProcessHost& host) {
      if (i == 0) {
        host.spawn(kSelf, [&](Runtime& r) {
          return std::make_unique<StreamSender>(r, kSelf, ActorAddress{to.node, receiver},
                                                to.endpoint, c.total, 2'000, &result);
        });
      }
      if (i == receiving) {
        host.spawn(receiver, [&](Runtime& r) {
          return std::make_unique<StreamReceiver>(r, receiver, test.member(0).endpoint, 100,
                                                  &result);
        });
      }
    };
  }
  EXPECT_EQ(test.run(), 0);
  EXPECT_EQ(result.received, c.total);
  EXPECT_EQ(result.out_of_order, 0u);
}

TEST_P(BothRuntimes, AStreamWithCreditsWithinAShard) { stream(GetParam(), {1, 0, 50'000}); }
TEST_P(BothRuntimes, AStreamWithCreditsBetweenShards) { stream(GetParam(), {1, 1, 50'000}); }
TEST_P(BothRuntimes, AStreamWithCreditsBetweenProcesses) { stream(GetParam(), {2, 1, 100'000}); }

TEST_P(BothRuntimes, AFullMailboxTellsTheSenderAndLosesNothingAccepted) {
  std::vector<uint64_t> accepted;
  std::vector<uint64_t> received;
  int full = 0;
  const int exit_code = run_one(
      GetParam(),
      [&](Runtime& r, LambdaActor& actor) {
        actor.on_start = [&] {
          for (uint64_t i = 0; i < 100; ++i) {
            const SendResult sent = r.send(kSelf, {r.node(), kSelf}, 1, numbered_body(i));
            if (sent == SendResult::kAccepted) accepted.push_back(i);
            if (sent == SendResult::kFull) ++full;
          }
          r.start_timer(kSelf, 50'000, 1);
        };
        actor.on_message = [&](Message m) {
          if (m.type == 2) return r.stop(0, "done");
          received.push_back(checked_number(m.body));
        };
        actor.on_token = [&](uint64_t) {
          // Room again.
          EXPECT_EQ(r.send(kSelf, {r.node(), kSelf}, 2, numbered_body(0)), SendResult::kAccepted);
        };
      },
      10);
  EXPECT_EQ(exit_code, 0);
  EXPECT_EQ(accepted.size(), 10u);
  EXPECT_EQ(full, 90);
  EXPECT_EQ(received, accepted);
}

TEST_P(BothRuntimes, ObjectsComeBeforeBytesAndStarveThemNot) {
  constexpr uint64_t kEach = 100;
  std::vector<uint64_t> bytes, objects;
  size_t objects_before_bytes = 0;  // until half of the objects were there
  run_one(GetParam(), [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      for (uint64_t i = 0; i < kEach; ++i) {
        r.send(kSelf, {r.node(), kSelf}, 1, numbered_body(i));
      }
      for (uint64_t i = 0; i < kEach; ++i) {
        r.post_local(kSelf, kSelf, std::make_unique<NumberPayload>(i));
      }
    };
    actor.on_message = [&](Message m) {
      if (m.local != nullptr) {
        objects.push_back(number_of(m));
        if (objects.size() == kEach / 2) objects_before_bytes = objects.size() - bytes.size();
      } else {
        bytes.push_back(checked_number(m.body));
      }
      if (objects.size() + bytes.size() == 2 * kEach) r.stop(0, "done");
    };
  });
  std::vector<uint64_t> expected(kEach);
  for (uint64_t i = 0; i < kEach; ++i) expected[i] = i;
  EXPECT_EQ(bytes, expected);
  EXPECT_EQ(objects, expected);
  if (GetParam() == Kind::kReal) {  // in simulation messages come at times of their own
    EXPECT_EQ(objects_before_bytes, kEach / 2 - kEach / 2 / Mailbox::kLocalInARow);
  }
}

TEST_P(BothRuntimes, NobodyThereIsClosed) {
  EXPECT_EQ(run_one(GetParam(),
                    [](Runtime& r, LambdaActor& actor) {
                      actor.on_start = [&] {
                        const auto to = [&](NodeId node, ActorId id) {
                          return r.send(kSelf, {node, id}, 1, numbered_body(1));
                        };
                        EXPECT_EQ(to(r.node(), {0, 77}), SendResult::kClosed);
                        EXPECT_EQ(to(r.node(), {9, 1}), SendResult::kClosed);
                        EXPECT_EQ(to(NodeId{12'345}, kSelf), SendResult::kClosed);
                        EXPECT_EQ(r.post_local(kSelf, {0, 77}, nullptr), SendResult::kClosed);
                        r.connect(NodeId{12'345}, r.endpoint());
                        EXPECT_EQ(to(NodeId{12'345}, kSelf), SendResult::kAccepted);
                        r.disconnect(NodeId{12'345});
                        EXPECT_EQ(to(NodeId{12'345}, kSelf), SendResult::kClosed);
                        r.stop(0, "done");
                      };
                    }),
            0);
}

TEST_P(BothRuntimes, BodiesAreAlignedAndNotCopiedWithinAProcess) {
  const Buffer whole = numbered_body(1, 64);
  const Buffer odd = whole.slice(1, 16);
  int received = 0;
  run_one(GetParam(), [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.send(kSelf, {r.node(), kSelf}, 1, whole);
      r.send(kSelf, {r.node(), kSelf}, 2, odd);
      r.send(kSelf, {r.node(), kSelf}, 3, Buffer());
    };
    actor.on_message = [&](Message m) {
      ++received;
      EXPECT_EQ(reinterpret_cast<uintptr_t>(m.body.data()) % 8, 0u);
      EXPECT_TRUE(m.type != 1 || m.body.data() == whole.data());
      EXPECT_TRUE(m.type != 2 || m.body.view() == odd.view());
      if (m.type == 3) r.stop(0, "done");
    };
  });
  EXPECT_EQ(received, 3);
}

TEST_P(BothRuntimes, TimersFireInOrderOnceAndNotWhenCancelled) {
  // Apart by more than a timer may be late.
  const std::vector<int64_t> delays_us{30'000, 10'000, 20'000, 0, 40'000};
  std::vector<uint64_t> fired;
  run_one(GetParam(), [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      std::vector<TimerId> ids;
      for (size_t i = 0; i < delays_us.size(); ++i) {
        ids.push_back(r.start_timer(kSelf, delays_us[i], i));
      }
      r.cancel_timer(ids[2]);
      r.cancel_timer(ids[2]);
      r.cancel_timer(123'456);
    };
    actor.on_token = [&, before = r.monotonic_us()](uint64_t token) {
      EXPECT_GE(r.monotonic_us() - before, delays_us[token]);
      fired.push_back(token);
      if (token == 4) r.stop(0, "done");
    };
  });
  EXPECT_EQ(fired, (std::vector<uint64_t>{3, 1, 0, 4}));
}

TEST_P(BothRuntimes, ALaneRunsInOrderOneAtATime) {
  static constexpr uint64_t kLanes = 3;
  static constexpr uint64_t kJobs = 200;
  std::array<std::atomic<uint64_t>, kLanes> ran{};
  std::array<std::atomic<int>, kLanes> running{};
  std::array<uint64_t, kLanes> results{};
  std::atomic<int> overlaps = 0;
  uint64_t wrong = 0;
  const int exit_code = run_one(
      GetParam(),
      [&](Runtime& r, LambdaActor& actor) {
        actor.on_start = [&] {
          for (uint64_t i = 0; i < kJobs * kLanes; ++i) {
            const uint64_t lane = i % kLanes;
            const auto urgency = static_cast<Urgency>(i / kLanes % 3);  // whatever it is
            r.run_blocking(kSelf, lane, urgency, [&, lane]() -> std::unique_ptr<LocalPayload> {
              if (running[lane].fetch_add(1) != 0) ++overlaps;
              const uint64_t number = ran[lane].fetch_add(1);
              running[lane].fetch_sub(1);
              return std::make_unique<NumberPayload>(number * kLanes + lane);
            });
          }
        };
        actor.on_message = [&](Message m) {
          const uint64_t lane = number_of(m) % kLanes;
          EXPECT_EQ(m.from, (ActorAddress{r.node(), kSelf}));
          if (number_of(m) / kLanes != results[lane]++) ++wrong;
          if (std::all_of(results.begin(), results.end(), [](auto n) { return n == kJobs; })) {
            r.stop(0, "done");
          }
        };
      },
      1);  // results get in whatever the mailbox holds
  EXPECT_EQ(exit_code, 0);
  EXPECT_EQ(overlaps, 0);
  EXPECT_EQ(wrong, 0u);
}

TEST_P(BothRuntimes, StartComesBeforeAnyMessageEvenOfAConstructor) {
  std::vector<std::string> seen;
  run_one(GetParam(), [&](Runtime& r, LambdaActor& actor) {
    r.post_local(kSelf, kSelf, std::make_unique<NumberPayload>(1));
    actor.on_start = [&] { seen.push_back("start"); };
    actor.on_message = [&](Message m) {
      seen.push_back("message " + std::to_string(number_of(m)));
      r.stop(0, "done");
    };
  });
  EXPECT_EQ(seen, (std::vector<std::string>{"start", "message 1"}));
}

TEST_P(BothRuntimes, TheFirstStopDecidesTheExitCode) {
  EXPECT_EQ(run_one(GetParam(),
                    [](Runtime& r, LambdaActor& actor) {
                      actor.on_start = [&] {
                        r.stop(3, "first");
                        r.stop(4, "second");
                      };
                    }),
            3);
}

TEST_P(BothRuntimes, ActorsMayUseTheRuntimeUntilTheyAreGone) {
  struct Leaver : Actor {
    explicit Leaver(Runtime& r) : runtime(r) {}
    ~Leaver() override {
      runtime.cancel_timer(timer);
      runtime.disconnect(NodeId{5});
      runtime.send(kSelf, {runtime.node(), kSelf}, 1, Buffer());
      runtime.send(kSelf, {NodeId{5}, kSelf}, 1, Buffer());
    }
    void start() override {
      timer = runtime.start_timer(kSelf, 1'000'000'000, 1);
      runtime.connect(NodeId{5}, runtime.endpoint());
      runtime.send(kSelf, {NodeId{5}, kSelf}, 1, Buffer());
      runtime.stop(0, "done");
    }
    void receive(Message) override {}
    void on_timer(uint64_t) override {}
    Runtime& runtime;
    TimerId timer = 0;
  };
  RuntimeUnderTest test(GetParam(), 1, 1);
  test.member(0).wire = [&](ProcessHost& host) {
    host.spawn(kSelf, [](Runtime& r) { return std::make_unique<Leaver>(r); });
  };
  EXPECT_EQ(test.run(), 0);
}

TEST_P(BothRuntimes, RandomNumbersDiffer) {
  std::set<uint64_t> numbers;
  run_one(GetParam(), [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      for (int i = 0; i < 1000; ++i) numbers.insert(r.random());
      r.stop(0, "done");
    };
  });
  EXPECT_EQ(numbers.size(), 1000u);
}

}  // namespace
}  // namespace tidemill
