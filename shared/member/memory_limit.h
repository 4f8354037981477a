// MemoryLimit: how many bytes a shard may account for so that the whole process stays within its
// memory budget. What is accounted for (states, changes not on disk, caches) is not all that a
// process takes: the allocator rounds and keeps, messages are on their way. So the limit follows
// what the process is seen to take: it falls quickly when that nears the budget, and rises slowly
// while there is room.
//
// immutable but for observe(); no I/O
#pragma once

#include <cstdint>

namespace tidemill {

class MemoryLimit {
 public:
  // 0: no bound. Shards have equal shares.
  MemoryLimit(uint64_t budget_bytes, uint16_t shards);

  bool bounded() const { return budget_ != 0; }
  // Of the budget, this shard's; 0 without a bound.
  uint64_t share() const { return share_; }
  // Of this shard; UINT64_MAX without a bound.
  uint64_t bytes() const { return limit_; }
  // What the process takes, and what this shard accounts for. True: there is no room, so that what
  // the allocator keeps is worth giving back.
  bool observe(uint64_t process_bytes, uint64_t accounted_bytes);

 private:
  uint64_t budget_;
  uint64_t share_;
  uint64_t limit_;
};

}  // namespace tidemill
