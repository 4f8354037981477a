#include "shared/runtime/sim/simulation.h"

#include <gtest/gtest.h>

#include "shared/obs/log.h"
#include "tests/unit/runtime/sim_test_world.h"

namespace tidemill {
namespace {

// Three processes that keep sending one another numbers, on timers and by blocking work.
struct Chatter {
  explicit Chatter(uint64_t seed, SimConfig config = {}) : sim(seed, config) {
    for (int i = 0; i < 3; ++i) {
      add_lambda(
          sim, "p" + std::to_string(i),
          [](Runtime& r, LambdaActor& actor) {
            actor.on_start = [&r] {
              for (int p = 0; p < 3; ++p) {
                r.connect(NodeId{static_cast<uint64_t>(100 + p)}, "sim://p" + std::to_string(p));
              }
              r.start_timer(kSelf, 1'000, 1);
            };
            actor.on_token = [&r](uint64_t) {
              const NodeId to{100 + r.random() % 3};
              r.send(kSelf, {to, kSelf}, 1, numbered_body(r.random(), r.random() % 100));
              r.start_timer(kSelf, static_cast<int64_t>(r.random() % 5'000), 1);
            };
            actor.on_message = [&r](Message m) {
              if (m.local == nullptr) {
                r.run_blocking(kSelf, r.random() % 2,
                               [] { return std::make_unique<NumberPayload>(1); });
              }
            };
          },
          4096, NodeId{static_cast<uint64_t>(100 + i)});
    }
  }
  Simulation sim;
};

uint64_t chatter_hash(uint64_t seed, bool faults) {
  SimConfig config;
  if (faults) {
    config.drop_probability = 0.05;
    config.duplicate_probability = 0.05;
    config.reorder_probability = 0.2;
  }
  Chatter chatter(seed, config);
  if (faults) {
    FaultPlanConfig plan;
    plan.span_us = 3'000'000;
    plan.fault_us_max = 500'000;
    FaultPlan::random(seed, 3, plan).schedule(chatter.sim);
  }
  chatter.sim.run_for(4'000'000);
  EXPECT_GT(chatter.sim.events(), 5'000u);
  return chatter.sim.trace_hash();
}

TEST(Simulation, TheSameSeedGivesTheSameRunAndAnotherADifferentOne) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    for (const bool faults : {false, true}) {
      const uint64_t hash = chatter_hash(seed, faults);
      EXPECT_EQ(hash, chatter_hash(seed, faults));
      hashes.insert(hash);
    }
  }
  EXPECT_EQ(hashes.size(), 10u);
}

TEST(Simulation, TheTraceCoversBodiesTypesAndTimers) {
  const auto hash_of = [](uint16_t type, uint64_t number, uint64_t token) {
    Simulation sim(1);
    add_lambda(sim, "a", [&](Runtime& r, LambdaActor& actor) {
      actor.on_start = [&r, type, number, token] {
        r.send(kSelf, {r.node(), kSelf}, type, numbered_body(number));
        r.start_timer(kSelf, 10, token);
      };
    });
    sim.run_for(1'000);
    return sim.trace_hash();
  };
  const uint64_t base = hash_of(1, 1, 1);
  EXPECT_EQ(base, hash_of(1, 1, 1));
  EXPECT_NE(base, hash_of(2, 1, 1));
  EXPECT_NE(base, hash_of(1, 2, 1));
  EXPECT_NE(base, hash_of(1, 1, 2));
}

TEST(Simulation, VirtualTimeMovesOnlyInRuns) {
  Simulation sim(1);
  EXPECT_EQ(sim.now_us(), 0);
  sim.run_for(1'000'000);
  EXPECT_EQ(sim.now_us(), 1'000'000);
  EXPECT_FALSE(sim.run_until([] { return false; }, 5'000'000));
  EXPECT_EQ(sim.now_us(), 5'000'000);
  int64_t at_us = 0;
  sim.at(6'000'000, [&] { at_us = sim.now_us(); });
  EXPECT_TRUE(sim.run_until([&] { return at_us != 0; }, 10'000'000));
  EXPECT_EQ(at_us, 6'000'000);
  EXPECT_EQ(sim.now_us(), 6'000'000);
}

TEST(Simulation, ClocksGoWithVirtualTimeAndWallClocksCanBeOff) {
  Simulation sim(1);
  const SimProcessId a = add_lambda(sim, "a", nothing());
  const SimProcessId b = add_lambda(sim, "b", nothing());
  const int64_t before_us = sim.runtime(a).monotonic_us();
  sim.run_for(123);
  EXPECT_EQ(sim.runtime(a).monotonic_us() - before_us, 123);
  EXPECT_EQ(sim.runtime(a).wall_us(), sim.config().start_wall_us + 123);
  sim.set_clock_offset(b, -5'000);
  EXPECT_EQ(sim.runtime(b).wall_us(), sim.runtime(a).wall_us() - 5'000);
  EXPECT_EQ(count_of(sim, SimFault::kClockSkew), 1u);
}

TEST(Simulation, BodiesBetweenProcessesAreFreshAlignedCopies) {
  Simulation sim(1);
  const Buffer whole = numbered_body(1, 64);
  const Buffer odd = whole.slice(3, 20);
  Buffer received;
  const SimProcessId a = add_lambda(sim, "a", nothing());
  const SimProcessId b = add_lambda(sim, "b", [&](Runtime&, LambdaActor& actor) {
    actor.on_message = [&](Message m) { received = m.body; };
  });
  Runtime& r = sim.runtime(a);
  r.connect(sim.node(b), "sim://b");
  r.send(kSelf, {sim.node(b), kSelf}, 1, odd);
  sim.run_for(10'000);
  EXPECT_EQ(received.view(), odd.view());
  EXPECT_NE(received.data(), odd.data());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(received.data()) % 8, 0u);
}

TEST(Simulation, ErrorLinesAreKeptWithTheirTimeAndProcess) {
  Simulation sim(1);
  add_lambda(sim, "worker", [](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&r] { r.start_timer(kSelf, 1'000'000, 1); };
    actor.on_token = [](uint64_t) {
      log_event(LogLevel::kInfo, "fine");
      log_event(LogLevel::kError, "state_lost", {{"rows", 3}});
    };
  });
  sim.run_for(1'500'000);
  ASSERT_EQ(sim.errors().size(), 1u);
  EXPECT_TRUE(sim.errors()[0].starts_with("t_us=1000")) << sim.errors()[0];
  EXPECT_TRUE(sim.errors()[0].ends_with(" process=worker level=error event=state_lost rows=3"));
  EXPECT_EQ(sim.log_lines().size(), 2u);
}

TEST(Simulation, LogLimitsGoByVirtualTime) {
  Simulation sim(1);
  add_lambda(sim, "a", [](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&r] { r.start_timer(kSelf, 0, 0); };
    actor.on_token = [&r](uint64_t n) {
      for (int i = 0; i < 100; ++i) log_event(LogLevel::kInfo, "busy");
      if (n < 5) r.start_timer(kSelf, 1'000'000, n + 1);
    };
  });
  sim.run_for(10'000'000);
  EXPECT_EQ(sim.log_lines().size(), 25u);
}

TEST(Simulation, InjectedPayloadsComeFromOutside) {
  Simulation sim(1);
  std::vector<uint64_t> got;
  const SimProcessId a = add_lambda(
      sim, "a",
      [&](Runtime&, LambdaActor& actor) {
        actor.on_message = [&](Message m) {
          EXPECT_EQ(m.from.actor, (ActorId{0xffff, 0xffff}));
          got.push_back(number_of(m));
        };
      },
      2);
  const auto post = [&](uint64_t n) {
    return sim.post_from_outside(a, kSelf, std::make_unique<NumberPayload>(n));
  };
  EXPECT_EQ(post(0), SendResult::kAccepted);
  EXPECT_EQ(post(1), SendResult::kAccepted);
  EXPECT_EQ(post(2), SendResult::kFull);
  sim.run_for(1'000);
  EXPECT_EQ(got, first_numbers(2));
  EXPECT_EQ(sim.post_from_outside(a, {0, 9}, nullptr), SendResult::kClosed);
  sim.crash(a);
  EXPECT_EQ(post(3), SendResult::kClosed);
}

TEST(Simulation, StopEndsTheProcessAfterItsHandler) {
  Simulation sim(1);
  bool after_stop = false;
  const SimProcessId a = add_lambda(sim, "a", [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.stop(4, "enough");
      after_stop = r.start_timer(kSelf, 0, 0) != 0;
    };
    actor.on_token = [](uint64_t) { FAIL(); };
  });
  EXPECT_TRUE(sim.alive(a));
  sim.run_for(1'000'000);
  EXPECT_TRUE(after_stop);
  EXPECT_FALSE(sim.alive(a));
  EXPECT_EQ(sim.actor(a, kSelf), nullptr);
  EXPECT_EQ(sim.exit_code(a), 4);
}

}  // namespace
}  // namespace tidemill
