// MemoryWatch: keeps one shard of a worker's or store's process within the process's memory budget:
// looks regularly at what the process takes, from which it follows how much the shard may account
// for (MemoryLimit), and has the allocator give back what it keeps when there is no room. Without a
// budget it looks all the same, less often: members report what they take.
//
// shard-affine: part of the actor that accounts for the memory.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "shared/member/memory_limit.h"
#include "shared/runtime/runtime.h"

namespace tidemill {

// What a process knows of its memory, and can do about it. Both may block; thread-safe.
struct ProcessMemory {
  // What this process takes; 0: not known. None: what its shards account for.
  std::function<uint64_t()> resident_bytes = nullptr;
  // Gives back to the system what this thread has freed. None: that happens by itself.
  std::function<void()> release = nullptr;
  // There is one such process in this program: what MemoryAccount counts is its own.
  bool counted = false;
};

// Bytes by consumer (docs/operations.md), in the order of their names.
using MemoryUse = std::map<std::string, uint64_t>;

class MemoryWatch {
 public:
  // 0: no bound. The answers of the blocking pool go to `actor`.
  MemoryWatch(Runtime& runtime, ActorId actor, uint64_t budget_bytes, uint16_t shards,
              ProcessMemory memory);

  bool bounded() const { return limit_.bounded(); }
  // Of the budget, this shard's; 0 without a bound.
  uint64_t share() const { return limit_.share(); }
  // That this shard may account for; UINT64_MAX without a bound.
  uint64_t limit() const { return limit_.bytes(); }
  uint64_t budget() const { return budget_; }
  // Of the process, when it was last looked at; 0: not known.
  uint64_t resident_bytes() const { return resident_bytes_; }
  const ProcessMemory& memory() const { return memory_; }
  // Adds what no shard accounts for: the same for each of them.
  void add_process_use(MemoryUse* out) const;

  // Looks if it is time to; as often as it likes.
  void tick(uint64_t accounted_bytes);
  // What came back from the blocking pool; false if it is not of here.
  bool receive(LocalPayload* payload, uint64_t accounted_bytes);

 private:
  void observe(uint64_t process_bytes, uint64_t accounted_bytes);

  Runtime& runtime_;
  ActorId actor_;
  uint64_t budget_;
  uint16_t shards_;
  ProcessMemory memory_;
  MemoryLimit limit_;
  uint64_t resident_bytes_ = 0;
  int64_t next_look_us_ = 0;
  bool looking_ = false;
};

}  // namespace tidemill
