// Small worlds for tests of the simulation.
#pragma once

#include <gtest/gtest.h>

#include "shared/runtime/sim/fault_plan.h"
#include "shared/runtime/sim/simulation.h"
#include "tests/unit/runtime/test_actors.h"

namespace tidemill {

inline constexpr ActorId kSelf{0, 1};

using Equip = std::function<void(Runtime&, LambdaActor&)>;

// A process with one LambdaActor, kSelf.
inline SimProcessId add_lambda(Simulation& sim, const std::string& name, Equip equip,
                               size_t mailbox_limit = 4096, NodeId node = NodeId{}) {
  return sim.add_process({.name = name, .endpoint = "sim://" + name, .node = node},
                         [equip = std::move(equip), mailbox_limit](ProcessHost& host) {
                           host.spawn(
                               kSelf,
                               [&equip](Runtime& r) {
                                 auto actor = std::make_unique<LambdaActor>();
                                 equip(r, *actor);
                                 return actor;
                               },
                               mailbox_limit);
                         });
}

// The numbers that a process has received.
struct Inbox {
  std::vector<uint64_t> numbers;
  Equip equip() {
    return [this](Runtime&, LambdaActor& actor) {
      actor.on_message = [this](Message m) { numbers.push_back(checked_number(m.body)); };
    };
  }
};

inline Equip nothing() {
  return [](Runtime&, LambdaActor&) {};
}

// From outside any handler, as if `from`'s actor had sent it.
inline SendResult send_number(Simulation& sim, SimProcessId from, SimProcessId to, uint64_t number,
                              size_t size = 8) {
  Runtime& r = sim.runtime(from);
  r.connect(sim.node(to), "sim://" + sim.name(to));
  return r.send(kSelf, {sim.node(to), kSelf}, 1, numbered_body(number, size));
}

inline uint64_t count_of(const Simulation& sim, SimFault fault) {
  return sim.faults()[static_cast<size_t>(fault)];
}

inline std::vector<uint64_t> first_numbers(uint64_t n) {
  std::vector<uint64_t> out;
  for (uint64_t i = 0; i < n; ++i) out.push_back(i);
  return out;
}

}  // namespace tidemill
