// What the micro benchmarks have in common: each reports, beside the time of an iteration, per item
// of work the time (in JSON in seconds; of the CPU, but where a name ends in /real_time), the
// allocations, and the instructions where the machine counts them.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>

#include "shared/base/result.h"

namespace tidemill::micro {

// The loop of a benchmark whose `work` does `items` items each time. `prepare`, which goes before
// each, is not measured. The first time is not either: tables and buffers that grow once are no
// item's. What is counted is of this thread alone.
//
// bench/instructions counts the same region, in valgrind: what runs below `tidemill_measured`.
void measure(benchmark::State& state, uint64_t items, const std::function<void()>& work,
             const std::function<void()>& prepare = {});

// A further figure: so many bytes for each item.
void report_bytes(benchmark::State& state, const char* name, double bytes, double items);

[[noreturn]] void fail(const Error& error);

// A benchmark whose input cannot be made ends the program.
inline void check(const Status& status) {
  if (!status.ok()) fail(status.error());
}
template <typename T>
T check(Result<T> result) {
  if (!result.ok()) fail(result.error());
  return std::move(result).value();
}

}  // namespace tidemill::micro
