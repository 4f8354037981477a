#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/runtime/sim_test_world.h"

namespace tidemill {
namespace {

struct Pair {
  explicit Pair(SimConfig config = {}, size_t mailbox_limit = 4096) : sim(7, config) {
    a = add_lambda(sim, "a", at_a.equip(), mailbox_limit);
    b = add_lambda(sim, "b", at_b.equip(), mailbox_limit);
  }
  // 0, 1, ... from a to b, one each 100 us.
  void stream(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) {
      EXPECT_EQ(send_number(sim, a, b, i), SendResult::kAccepted);
      sim.run_for(100);
    }
    sim.run_for(1'000'000);
  }
  Inbox at_a;
  Inbox at_b;
  Simulation sim;
  SimProcessId a;
  SimProcessId b;
};

TEST(SimNetwork, WithoutFaultsEverythingArrivesInOrder) {
  Pair pair;
  pair.stream(1000);
  EXPECT_EQ(pair.at_b.numbers, first_numbers(1000));
  EXPECT_EQ(pair.sim.describe_faults(), "");
}

TEST(SimNetwork, AnObserverSeesWhatIsSentAndAlsoWhatIsLost) {
  Pair pair;
  std::vector<std::string> seen;
  pair.sim.observe([&](const SimSent& sent) {
    EXPECT_EQ(sent.from.node, pair.sim.node(pair.a));
    EXPECT_EQ(sent.to.node, pair.sim.node(pair.b));
    EXPECT_EQ(sent.result, SendResult::kAccepted);
    EXPECT_EQ(sent.at_us, pair.sim.now_us());
    seen.emplace_back(sent.body.view());
  });
  send_number(pair.sim, pair.a, pair.b, 1);
  pair.sim.cut(pair.a, pair.b);
  send_number(pair.sim, pair.a, pair.b, 2);
  pair.sim.run_for(1'000'000);
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_TRUE(pair.at_b.numbers.empty());
}

TEST(SimNetwork, DropsDuplicatesAndReordersAsOftenAsConfigured) {
  SimConfig config;
  config.drop_probability = 0.1;
  config.duplicate_probability = 0.1;
  config.reorder_probability = 0.1;
  Pair pair(config);
  pair.stream(5000);
  const uint64_t dropped = count_of(pair.sim, SimFault::kDropped);
  const uint64_t duplicated = count_of(pair.sim, SimFault::kDuplicated);
  EXPECT_NEAR(static_cast<double>(dropped), 500, 150);
  EXPECT_NEAR(static_cast<double>(duplicated), 450, 150);
  EXPECT_GT(count_of(pair.sim, SimFault::kReordered), 300u);
  EXPECT_EQ(pair.at_b.numbers.size(), 5000 - dropped + duplicated);
  EXPECT_FALSE(std::is_sorted(pair.at_b.numbers.begin(), pair.at_b.numbers.end()));
  std::set<uint64_t> distinct(pair.at_b.numbers.begin(), pair.at_b.numbers.end());
  EXPECT_EQ(distinct.size(), 5000 - dropped);
}

TEST(SimNetwork, ACutLosesBothWaysAlsoWhatIsOnItsWay) {
  Pair pair;
  send_number(pair.sim, pair.a, pair.b, 1);
  pair.sim.cut(pair.a, pair.b);
  send_number(pair.sim, pair.a, pair.b, 2);
  send_number(pair.sim, pair.b, pair.a, 3);
  pair.sim.run_for(1'000'000);
  EXPECT_TRUE(pair.at_a.numbers.empty());
  EXPECT_TRUE(pair.at_b.numbers.empty());
  EXPECT_EQ(count_of(pair.sim, SimFault::kCut), 3u);
  pair.sim.heal(pair.b, pair.a);
  send_number(pair.sim, pair.a, pair.b, 4);
  pair.sim.run_for(1'000'000);
  EXPECT_EQ(pair.at_b.numbers, std::vector<uint64_t>{4});
}

TEST(SimNetwork, AOneWayCutLetsTheOtherWayThrough) {
  Pair pair;
  pair.sim.cut_one_way(pair.a, pair.b);
  send_number(pair.sim, pair.a, pair.b, 1);
  send_number(pair.sim, pair.b, pair.a, 2);
  pair.sim.run_for(1'000'000);
  EXPECT_TRUE(pair.at_b.numbers.empty());
  EXPECT_EQ(pair.at_a.numbers, std::vector<uint64_t>{2});
  EXPECT_EQ(count_of(pair.sim, SimFault::kOneWayCut), 1u);
}

TEST(SimNetwork, AClogHoldsMessagesAndFillsTheLink) {
  SimConfig config;
  config.link_messages_max = 10;
  Pair pair(config);
  pair.sim.clog(pair.a, pair.b, 5'000'000);
  for (uint64_t i = 0; i < 15; ++i) {
    EXPECT_EQ(send_number(pair.sim, pair.a, pair.b, i),
              i < 10 ? SendResult::kAccepted : SendResult::kFull);
  }
  EXPECT_EQ(count_of(pair.sim, SimFault::kLinkFull), 5u);
  pair.sim.run_for(4'999'000);
  EXPECT_TRUE(pair.at_b.numbers.empty());
  pair.sim.run_for(2'000);
  EXPECT_EQ(pair.at_b.numbers, first_numbers(10));
  EXPECT_EQ(send_number(pair.sim, pair.a, pair.b, 10), SendResult::kAccepted);
}

TEST(SimNetwork, ALinkIsBoundedInBytes) {
  SimConfig config;
  config.link_bytes_max = 10'000;
  Pair pair(config);
  // A message larger than the limit may pass an empty link.
  EXPECT_EQ(send_number(pair.sim, pair.a, pair.b, 0, 20'000), SendResult::kAccepted);
  EXPECT_EQ(send_number(pair.sim, pair.a, pair.b, 1), SendResult::kFull);
  pair.sim.run_for(1'000'000);
  EXPECT_EQ(send_number(pair.sim, pair.a, pair.b, 1), SendResult::kAccepted);
}

TEST(SimNetwork, AFullMailboxDropsWhatComesFromTheNetwork) {
  SimConfig config;
  config.turn_us_max = 100'000;
  Pair pair(config, 10);
  for (uint64_t i = 0; i < 100; ++i) send_number(pair.sim, pair.a, pair.b, i);
  pair.sim.run_for(100'000'000);
  EXPECT_EQ(pair.at_b.numbers.size() + count_of(pair.sim, SimFault::kMailboxFull), 100u);
  EXPECT_GE(pair.at_b.numbers.size(), 10u);
  EXPECT_LT(pair.at_b.numbers.size(), 60u);
}

TEST(SimProcess, ACrashForgetsEverythingAndARestartIsANewIncarnation) {
  Simulation sim(3);
  int started = 0;
  int fired = 0;
  int worked = 0;
  int destroyed = 0;
  struct Mortal : LambdaActor {
    explicit Mortal(int* d) : destroyed(d) {}
    ~Mortal() override { ++*destroyed; }
    int* destroyed;
  };
  const SimProcessId p =
      sim.add_process({.name = "p", .endpoint = "sim://p"}, [&](ProcessHost& host) {
        host.spawn(kSelf, [&](Runtime& r) {
          auto actor = std::make_unique<Mortal>(&destroyed);
          actor->on_start = [&] {
            ++started;
            r.start_timer(kSelf, 1'000'000, 1);
            r.run_blocking(kSelf, 0, [&]() -> std::unique_ptr<LocalPayload> {
              ++worked;
              return nullptr;
            });
          };
          actor->on_token = [&](uint64_t) { ++fired; };
          return actor;
        });
      });
  sim.run_for(10);
  const NodeId former = sim.node(p);
  sim.crash(p);
  EXPECT_EQ(destroyed, 1);
  EXPECT_FALSE(sim.alive(p));
  sim.run_for(5'000'000);
  EXPECT_EQ(started, 1);
  EXPECT_EQ(fired, 0);
  EXPECT_EQ(worked, 0);
  sim.restart(p);
  EXPECT_NE(sim.node(p), former);
  sim.run_for(5'000'000);
  EXPECT_EQ(started, 2);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(worked, 1);
  EXPECT_EQ(sim.describe_faults(), "crash=1 restart=1");
  sim.crash(p);
  sim.restart(p, NodeId{77});
  EXPECT_EQ(sim.node(p), NodeId{77});
}

TEST(SimProcess, MessagesForAFormerIncarnationAreDropped) {
  Pair pair;
  const NodeId former = pair.sim.node(pair.b);
  send_number(pair.sim, pair.a, pair.b, 1);  // on its way while the process is replaced
  pair.sim.crash(pair.b);
  pair.sim.restart(pair.b);
  Runtime& r = pair.sim.runtime(pair.a);
  EXPECT_EQ(r.send(kSelf, {former, kSelf}, 1, numbered_body(2)), SendResult::kAccepted);
  pair.sim.run_for(1'000'000);
  EXPECT_TRUE(pair.at_b.numbers.empty());
  EXPECT_EQ(count_of(pair.sim, SimFault::kStaleIncarnation), 2u);
}

TEST(SimProcess, AFixedNodeKeepsItsIdAndGetsWhatIsSentAfterTheCrash) {
  Simulation sim(3);
  Inbox inbox;
  const SimProcessId a = add_lambda(sim, "a", nothing());
  const SimProcessId c = add_lambda(sim, "c", inbox.equip(), 4096, NodeId{1});
  send_number(sim, a, c, 1);
  sim.crash(c);
  Runtime& r = sim.runtime(a);
  EXPECT_EQ(r.send(kSelf, {NodeId{1}, kSelf}, 1, numbered_body(2)), SendResult::kAccepted);
  sim.restart(c);
  sim.run_for(1'000'000);
  EXPECT_EQ(sim.node(c), NodeId{1});
  EXPECT_EQ(inbox.numbers, std::vector<uint64_t>{2});
}

TEST(SimProcess, WhatIsSentToAProcessThatIsDownIsLost) {
  Pair pair;
  send_number(pair.sim, pair.a, pair.b, 1);
  pair.sim.crash(pair.b);
  pair.sim.run_for(1'000'000);
  EXPECT_EQ(count_of(pair.sim, SimFault::kNoProcess), 1u);
}

TEST(SimProcess, AFrozenProcessDoesEverythingLate) {
  SimConfig config;
  config.frozen_messages_max = 3;
  Simulation sim(3, config);
  std::vector<std::string> seen;
  const SimProcessId a = add_lambda(sim, "a", nothing());
  const SimProcessId b = add_lambda(sim, "b", [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] { r.start_timer(kSelf, 1'000, 1); };
    actor.on_token = [&](uint64_t) { seen.push_back("timer"); };
    actor.on_message = [&](Message m) { seen.push_back(std::to_string(checked_number(m.body))); };
  });
  sim.run_for(10);
  sim.freeze(b);
  EXPECT_TRUE(sim.frozen(b));
  for (uint64_t i = 0; i < 5; ++i) send_number(sim, a, b, i);
  sim.run_for(10'000'000);
  EXPECT_TRUE(seen.empty());
  sim.unfreeze(b);
  sim.run_for(10'000);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::string>{"0", "1", "2", "timer"}));
  EXPECT_EQ(count_of(sim, SimFault::kFrozenFull), 2u);
}

TEST(SimProcess, AFrozenProcessCanCrash) {
  Pair pair;
  pair.sim.freeze(pair.b);
  send_number(pair.sim, pair.a, pair.b, 1);
  pair.sim.run_for(1'000'000);
  pair.sim.crash(pair.b);
  pair.sim.restart(pair.b);
  EXPECT_FALSE(pair.sim.frozen(pair.b));
  send_number(pair.sim, pair.a, pair.b, 2);
  pair.sim.run_for(1'000'000);
  EXPECT_EQ(pair.at_b.numbers, std::vector<uint64_t>{2});
}

TEST(SimProcess, ACrashFromWithinItsOwnCodeWaitsForTheHandler) {
  Simulation sim(3);
  SimProcessId p;
  bool worked = false;
  int results = 0;
  p = add_lambda(sim, "p", [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.run_blocking(kSelf, 0, [&]() -> std::unique_ptr<LocalPayload> {
        sim.crash(p);  // a disk that takes the machine with it
        worked = sim.alive(p);
        return nullptr;
      });
    };
    actor.on_message = [&](Message) { ++results; };
  });
  sim.run_for(1'000'000);
  EXPECT_TRUE(worked);
  EXPECT_FALSE(sim.alive(p));
  EXPECT_EQ(results, 0);
  EXPECT_EQ(sim.exit_code(p), -1);
}

// Watches links, and counts what it is told by node.
Equip watch_links(std::map<NodeId, int>* told) {
  return [told](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&r] { r.watch_links(kSelf); };
    actor.on_message = [told](Message m) {
      const auto* broken = dynamic_cast<const LinkBroken*>(m.local.get());
      if (broken != nullptr) ++(*told)[broken->node];
    };
  };
}

TEST(SimFaults, TheEndOfAConnectedProcessIsTold) {
  Simulation sim(1);
  std::map<NodeId, int> told;
  const auto watcher = add_lambda(sim, "watcher", watch_links(&told));
  const auto other = add_lambda(sim, "other", nothing());
  const auto stranger = add_lambda(sim, "stranger", nothing());
  const NodeId node = sim.node(other);
  send_number(sim, watcher, other, 1);
  sim.run_for(1'000'000);
  EXPECT_TRUE(told.empty());
  sim.crash(other);
  sim.crash(stranger);
  sim.run_for(sim.config().broken_link_delay_us_max + 1'000);
  EXPECT_EQ(told, (std::map<NodeId, int>{{node, 1}}));
  EXPECT_EQ(count_of(sim, SimFault::kBrokenLink), 1u);
}

TEST(SimFaults, ACutOrAFreezeIsNoBrokenLinkAndARestartHidesIt) {
  Simulation sim(1);
  std::map<NodeId, int> told;
  const auto watcher = add_lambda(sim, "watcher", watch_links(&told));
  const auto cut = add_lambda(sim, "cut", nothing());
  const auto frozen = add_lambda(sim, "frozen", nothing());
  const auto restarted = add_lambda(sim, "restarted", nothing());
  for (const auto other : {cut, frozen, restarted}) send_number(sim, watcher, other, 1);
  sim.run_for(10'000);
  sim.cut_one_way(cut, watcher);
  sim.freeze(frozen);
  sim.crash(cut);
  sim.crash(restarted);
  sim.restart(restarted);
  sim.run_for(1'000'000);
  EXPECT_TRUE(told.empty());
  sim.tell_link_broken(watcher, frozen);
  sim.run_for(1'000'000);
  EXPECT_EQ(told, (std::map<NodeId, int>{{sim.node(frozen), 1}}));
  EXPECT_EQ(count_of(sim, SimFault::kFalseBrokenLink), 1u);
}

TEST(SimFaults, AProcessThatIsAskedToEndMaySayGoodbye) {
  Simulation sim(1);
  const auto polite = add_lambda(sim, "polite", [](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&r] { r.watch_stop(kSelf); };
    actor.on_message = [&r](Message m) {
      if (dynamic_cast<const StopAsked*>(m.local.get()) != nullptr) r.stop(3, "goodbye");
    };
  });
  const auto stubborn = add_lambda(sim, "stubborn", [](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&r] { r.watch_stop(kSelf); };
  });
  const auto plain = add_lambda(sim, "plain", nothing());
  sim.run_for(1'000);
  for (const auto process : {polite, stubborn, plain}) sim.terminate(process);
  EXPECT_FALSE(sim.alive(plain));
  EXPECT_EQ(sim.exit_code(plain), 0);
  sim.run_for(10'000);
  EXPECT_EQ(sim.exit_code(polite), 3);
  EXPECT_TRUE(sim.alive(stubborn));
  sim.run_for(sim.config().stop_grace_us);
  EXPECT_EQ(sim.exit_code(stubborn), 0);
}

}  // namespace
}  // namespace tidemill
