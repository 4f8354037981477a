// StageCost: what a stage of the data plane has cost, in CPU time of its thread and in rows. Timed
// a batch at a time, so that the timing itself costs nothing per event.
#pragma once

#include <cstdint>

namespace tidemill {

struct StageCost {
  uint64_t cpu_ns = 0;
  uint64_t rows = 0;

  void add(const StageCost& other) {
    cpu_ns += other.cpu_ns;
    rows += other.rows;
  }
};

// Adds the CPU time of its scope to a StageCost. Clock: whatever has thread_cpu_ns(), as Runtime.
template <typename Clock>
class StageTimer {
 public:
  StageTimer(const Clock& clock, StageCost* cost)
      : clock_(clock), cost_(cost), begin_ns_(clock.thread_cpu_ns()) {}
  ~StageTimer() { cost_->cpu_ns += static_cast<uint64_t>(clock_.thread_cpu_ns() - begin_ns_); }
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;

 private:
  const Clock& clock_;
  StageCost* cost_;
  int64_t begin_ns_;
};

}  // namespace tidemill
