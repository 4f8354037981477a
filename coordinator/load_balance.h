// Spreads things of a known cost over workers by as few moves as will do. A pure function, of the
// rebalance planner, which uses it for owners, standbys and readers in turn.
//
// A worker's share is in proportion to its shards. The excess of an assignment is what the workers'
// loads lie above or below their shares by more than the margin, summed up; 0: it is balanced.
//
// - what lies on a closed worker (one that is to be emptied) goes to an open one, the costliest
// first
// - then single moves, and exchanges of two where no single move helps, as long as each lowers the
//   excess: no balance at any price, and never a move that changes nothing
// - then moves that are not needed are taken back. So taking back any one that is left (of those
//   from open workers) raises the excess, and balancing the result again moves nothing
// - all in integers and in a fixed order: the same input gives the same output, on any machine
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidemill {

inline constexpr size_t kNoWorker = SIZE_MAX;

struct BalanceWorker {
  int64_t shards = 1;
  bool open = true;
};

struct BalanceItem {
  size_t worker = 0;             // where it is now
  int64_t cost = 1;              // at least 1; their sum is at most 2^31
  int64_t disk = 0;              // decides between equals
  size_t preferred = kNoWorker;  // is better than an equal one
  size_t forbidden = kNoWorker;
  bool movable = true;
};

struct BalanceOptions {
  int64_t margin_percent = 10;
  bool only_closed = false;  // empty the closed workers, and leave the others alone
};

// By item the worker that it should be on. An item stays on a closed worker if it is not movable,
// or there is no open one that it may go to.
std::vector<size_t> balance(const std::vector<BalanceWorker>& workers,
                            const std::vector<BalanceItem>& items, const BalanceOptions& options);

// Of the items on open workers. In units of cost, times the shards of all open workers and 100.
int64_t imbalance(const std::vector<BalanceWorker>& workers, const std::vector<BalanceItem>& items,
                  const std::vector<size_t>& assigned, int64_t margin_percent);

}  // namespace tidemill
