// SimEventQueue: what is going to happen in a simulation, by virtual time, then by the order in
// which it was scheduled.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "shared/runtime/runtime.h"

namespace tidemill {

enum class SimEventKind {
  kStart,           // of all actors of an incarnation
  kLocalArrival,    // a message within a process
  kNetworkArrival,  // a message from process `link_from`
  kTurn,            // `actor` takes a message out of its mailbox
  kTimer,
  kBlockingRun,   // the next work of a lane
  kBlockingDone,  // its result
  kLinkBroken,    // process `link_from`, which was node `to_node`, has gone down
  kAction,        // of the harness, outside any process
};

struct SimEvent {
  SimEventKind kind = SimEventKind::kAction;
  size_t process = 0;
  uint64_t incarnation = 0;  // of `process`; the event is void for any other
  ActorId actor;
  uint64_t number = 0;   // timer id; lane of blocking work
  uint64_t token = 0;    // of a timer
  size_t link_from = 0;  // sending process
  NodeId to_node;
  Message message;
  std::function<void()> action;
};

class SimEventQueue {
 public:
  void push(int64_t time_us, SimEvent event);
  bool empty() const { return heap_.empty(); }
  int64_t next_time_us() const { return heap_.front().time_us; }
  SimEvent pop();

 private:
  struct Entry {
    int64_t time_us;
    uint64_t sequence;
    size_t slot;
  };
  static bool later(const Entry& a, const Entry& b) {
    return a.time_us != b.time_us ? a.time_us > b.time_us : a.sequence > b.sequence;
  }

  std::vector<Entry> heap_;
  std::vector<SimEvent> slots_;
  std::vector<size_t> free_slots_;
  uint64_t next_sequence_ = 0;
};

}  // namespace tidemill
