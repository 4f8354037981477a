// Runs the same wirings under the real runtime and in simulation.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "shared/runtime/real/real_process.h"
#include "shared/runtime/sim/simulation.h"
#include "tests/unit/runtime/test_actors.h"

namespace tidemill {

enum class Kind { kReal, kSim };

inline constexpr int kHungExitCode = 99;
inline constexpr int64_t kHungUs = 120'000'000;
inline constexpr ActorId kWatchdog{0, 999};

struct Member {
  NodeId node;
  std::string endpoint;
  std::function<void(ProcessHost&)> wire;
};

// Ends a process that does not end by itself, so that a test fails rather than hangs.
inline void spawn_watchdog(ProcessHost& host) {
  host.spawn(kWatchdog, [](Runtime& r) {
    auto actor = std::make_unique<LambdaActor>();
    actor->on_start = [&r] { r.start_timer(kWatchdog, kHungUs, 0); };
    actor->on_token = [&r](uint64_t) { r.stop(kHungExitCode, "hung"); };
    return actor;
  });
}

// Nodes and endpoints are fixed before any process is wired, so that members know one another.
class RuntimeUnderTest {
 public:
  RuntimeUnderTest(Kind kind, size_t members, uint16_t shards) : kind_(kind), shards_(shards) {
    for (size_t i = 0; i < members; ++i) {
      if (kind == Kind::kSim) {
        members_.push_back({NodeId{100 + i}, "sim://" + std::to_string(i), {}});
        continue;
      }
      RealProcessConfig config;
      config.shards = shards;
      config.handle_signals = false;
      auto process = RealProcess::create(config);
      EXPECT_TRUE(process.ok());
      real_.push_back(std::move(*process));
      members_.push_back({real_.back()->node(), real_.back()->endpoint(), {}});
    }
  }

  Member& member(size_t i) { return members_[i]; }

  // Until member 0 has stopped; its exit code.
  int run() { return kind_ == Kind::kSim ? run_sim() : run_real(); }

 private:
  int run_sim() {
    Simulation sim(20'200'101);
    for (const Member& m : members_) {
      sim.add_process(
          {.name = m.endpoint, .endpoint = m.endpoint, .node = m.node, .shards = shards_},
          [&m](ProcessHost& host) { m.wire(host); });
    }
    const bool ended = sim.run_until([&] { return !sim.alive({0}); }, kHungUs);
    EXPECT_TRUE(sim.errors().empty());
    return ended ? sim.exit_code({0}) : kHungExitCode;
  }

  int run_real() {
    std::vector<std::thread> others;
    for (size_t i = 0; i < members_.size(); ++i) {
      spawn_watchdog(*real_[i]);
      members_[i].wire(*real_[i]);
      if (i > 0) others.emplace_back([p = real_[i].get()] { p->run(); });
    }
    const int exit_code = real_[0]->run();
    for (size_t i = 1; i < members_.size(); ++i) real_[i]->stop(0, "the test is over");
    for (std::thread& other : others) other.join();
    return exit_code;
  }

  Kind kind_;
  uint16_t shards_;
  std::vector<Member> members_;
  std::vector<std::unique_ptr<RealProcess>> real_;
};

}  // namespace tidemill
