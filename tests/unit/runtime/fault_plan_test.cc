#include "shared/runtime/sim/fault_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/unit/runtime/sim_test_world.h"

namespace tidemill {
namespace {

FaultPlanConfig busy_config() {
  FaultPlanConfig config;
  config.start_us = 1'000'000;
  config.span_us = 10'000'000;
  config.clock_jumps = 2;
  return config;
}

std::vector<std::string> described(const FaultPlan& plan, const Simulation& sim) {
  std::vector<std::string> out;
  for (const Fault& f : plan.faults()) out.push_back(describe(f, sim));
  return out;
}

void add_three(Simulation& sim) {
  for (const char* name : {"coordinator", "worker", "store"}) add_lambda(sim, name, nothing());
}

TEST(FaultPlan, TheSameSeedGivesTheSamePlan) {
  Simulation sim(1);
  add_three(sim);
  const auto plan = [&](uint64_t seed) {
    return described(FaultPlan::random(seed, 3, busy_config()), sim);
  };
  EXPECT_EQ(plan(5), plan(5));
  EXPECT_NE(plan(5), plan(6));
  EXPECT_EQ(plan(5).size(), 18u);
}

TEST(FaultPlan, FaultsStayWithinTheSpanAndStrikeOnlyVictims) {
  EXPECT_TRUE(rc::check([](uint64_t seed) {
    FaultPlanConfig config = busy_config();
    config.victims = {{2}};
    const FaultPlan plan = FaultPlan::random(seed, 3, config);
    RC_ASSERT(plan.end_us() == config.start_us + config.span_us);
    int64_t last_us = config.start_us;
    for (const Fault& f : plan.faults()) {
      RC_ASSERT(f.at_us >= last_us);
      last_us = f.at_us;
      RC_ASSERT(f.duration_us >= config.fault_us_min);
      RC_ASSERT(f.at_us + f.duration_us <= plan.end_us());
      switch (f.kind) {
        case FaultKind::kFreeze:
        case FaultKind::kCrash:
        case FaultKind::kClockJump:
          RC_ASSERT(f.a.value == 2u);
          break;
        case FaultKind::kNetworkPhase:
          RC_ASSERT(f.drop <= config.drop_max);
          break;
        default:
          RC_ASSERT(f.a != f.b);
          RC_ASSERT(f.a.value < 3u);
          RC_ASSERT(f.b.value < 3u);
      }
    }
  }));
}

TEST(FaultPlan, DescribesWhatItDoes) {
  Simulation sim(1);
  add_three(sim);
  Fault f;
  f.kind = FaultKind::kCutOneWay;
  f.at_us = 1'500'000;
  f.duration_us = 250'000;
  f.a = {1};
  f.b = {2};
  EXPECT_EQ(describe(f, sim), "at=1.500s for=0.250s cut_one_way worker -> store");
  f.kind = FaultKind::kCrash;
  EXPECT_EQ(describe(f, sim), "at=1.500s for=0.250s crash worker");
  f.kind = FaultKind::kNetworkPhase;
  f.drop = 0.25;
  f.amount_us = 900;
  EXPECT_EQ(describe(f, sim),
            "at=1.500s for=0.250s network_phase drop=0.2500 duplicate=0.0000 reorder=0.0000 "
            "delay_us_max=900");
}

TEST(FaultPlan, EverythingIsHealedAtItsEnd) {
  EXPECT_TRUE(rc::check([](uint64_t seed) {
    Simulation sim(seed);
    std::array<Inbox, 3> inboxes;
    for (size_t i = 0; i < 3; ++i) add_lambda(sim, "p" + std::to_string(i), inboxes[i].equip());
    const FaultPlan plan = FaultPlan::random(seed, 3, busy_config());
    size_t fired = 0;
    plan.schedule(sim, {.fired = [&](const Fault&) { ++fired; }});
    sim.run_until([] { return false; }, plan.end_us());
    RC_ASSERT(fired == plan.faults().size());
    RC_ASSERT(count_of(sim, SimFault::kCrash) == count_of(sim, SimFault::kRestart));
    RC_ASSERT(count_of(sim, SimFault::kCrash) > 0u);
    for (auto& inbox : inboxes) inbox.numbers.clear();
    for (size_t i = 0; i < 3; ++i) {
      RC_ASSERT(sim.alive({i}));
      RC_ASSERT(!sim.frozen({i}));
      RC_ASSERT(sim.runtime({i}).wall_us() == sim.config().start_wall_us + sim.now_us());
      for (size_t to = 0; to < 3; ++to) {
        if (to != i) RC_ASSERT(send_number(sim, {i}, {to}, i) == SendResult::kAccepted);
      }
    }
    sim.run_for(10'000);
    for (const auto& inbox : inboxes) RC_ASSERT(inbox.numbers.size() == 2u);
  }));
}

TEST(FaultPlan, TheHarnessMayCrashAndRestartInItsOwnWay) {
  Simulation sim(1);
  add_three(sim);
  FaultPlanConfig config = busy_config();
  config.crashes = 5;
  int crashed = 0;
  int restarted = 0;
  FaultPlan::random(9, 3, config)
      .schedule(sim, {.crash = [&](SimProcessId p) { ++crashed, sim.crash(p); },
                      .restart = [&](SimProcessId p) { ++restarted, sim.restart(p); },
                      .fired = {}});
  sim.run_for(20'000'000);
  EXPECT_GT(crashed, 0);
  EXPECT_EQ(crashed, restarted);
}

}  // namespace
}  // namespace tidemill
