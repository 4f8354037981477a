// What a simulation is made of: delays, limits and the faults it counts.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "shared/runtime/runtime.h"

namespace tidemill {

// A message that an actor has sent, to another process or its own, as the sender has it.
struct SimSent {
  int64_t at_us = 0;   // virtual time
  size_t process = 0;  // the sender's place
  ActorAddress from;
  ActorAddress to;
  uint16_t type = 0;
  const Buffer& body;
  SendResult result{};  // what the sender was told
};
// Sees every message before it takes its way; must not call back into the simulation.
using SimObserver = std::function<void(const SimSent&)>;

struct SimConfig {
  int64_t start_wall_us = 1'577'836'800'000'000;  // 2020-01-01, wall clock at virtual time 0
  // Messages within a process: in order per (sender, receiver), never lost.
  int64_t local_delay_us_max = 20;
  // Messages between processes: in order per link unless reordered.
  int64_t network_delay_us_min = 50;
  int64_t network_delay_us_max = 1'000;
  int64_t reorder_delay_us_max = 20'000;  // extra delay of a message that others overtake
  double reorder_probability = 0;
  double drop_probability = 0;
  double duplicate_probability = 0;
  // What watches links hears of a process that went down after one such delay, unless the link is
  // cut then, or the process is up again.
  int64_t broken_link_delay_us_min = 1'000;
  int64_t broken_link_delay_us_max = 150'000;
  // Between the wish that a process ends and its end, if an actor that watches stops does nothing.
  int64_t stop_grace_us = 1'000'000;
  // Blocking work starts after one such delay, and its result arrives after another.
  int64_t blocking_delay_us_min = 20;
  int64_t blocking_delay_us_max = 2'000;
  int64_t timer_late_us_max = 200;
  // Time that one message takes an actor, so that mailboxes can fill.
  int64_t turn_us_max = 5;
  // Limits as in the real runtime.
  size_t mailbox_bytes_max = 64u << 20;
  size_t link_messages_max = 16'384;
  size_t link_bytes_max = 64u << 20;
  size_t frozen_messages_max = 20'000;  // that reach a frozen process; more are dropped
  // Lines kept for people to read; errors are kept apart from it.
  size_t log_lines_max = 20'000;
  bool print_log = false;  // also to stderr
};

enum class SimFault {
  kDelayed,  // held back by a clogged link
  kReordered,
  kDropped,  // by chance
  kDuplicated,
  kCut,        // a message lost to a link cut both ways
  kOneWayCut,  // a message lost to a link cut one way
  kCrash,
  kRestart,
  kFreeze,
  kUnfreeze,
  kMailboxFull,       // local: the sender was told; from the network: dropped
  kLinkFull,          // the sender was told
  kFrozenFull,        // dropped before a frozen process
  kStaleIncarnation,  // meant for a former incarnation
  kNoProcess,         // nobody is at the endpoint
  kNoActor,           // the process has no such actor
  kClockSkew,
  kSlowBlocking,
  kTerminate,        // a process was asked to end
  kBrokenLink,       // an actor was told that a process had gone down
  kFalseBrokenLink,  // likewise, of one that had not
  kCount
};

std::string_view sim_fault_name(SimFault fault);

using SimFaultCounts = std::array<uint64_t, static_cast<size_t>(SimFault::kCount)>;

}  // namespace tidemill
