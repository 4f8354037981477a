#include "bench/micro/harness.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "bench/micro/allocations.h"

// Apart from the measuring itself, and under a name that valgrind finds. Not a call from its end:
// it would be over before the work is.
extern "C" __attribute__((noinline)) void tidemill_measured(const std::function<void()>& work) {
  work();
  asm volatile("" ::: "memory");
}

namespace tidemill::micro {
namespace {

// User-space instructions of this thread.
class InstructionCounter {
 public:
  InstructionCounter() {
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.disabled = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    fd_ = static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
  }
  ~InstructionCounter() {
    if (fd_ >= 0) ::close(fd_);
  }
  InstructionCounter(const InstructionCounter&) = delete;
  InstructionCounter& operator=(const InstructionCounter&) = delete;

  void start() const {
    if (fd_ >= 0) ::ioctl(fd_, PERF_EVENT_IOC_ENABLE, 0);
  }
  void stop() const {
    if (fd_ >= 0) ::ioctl(fd_, PERF_EVENT_IOC_DISABLE, 0);
  }
  // None: the machine has no counter, or it was another's for some of the time.
  std::optional<uint64_t> total() const {
    std::array<uint64_t, 3> read{};  // count, time enabled, time running
    if (fd_ < 0 || ::read(fd_, read.data(), sizeof(read)) != sizeof(read)) return std::nullopt;
    if (read[0] == 0 || read[1] != read[2]) return std::nullopt;
    return read[0];
  }

 private:
  int fd_ = -1;
};

}  // namespace

void measure(benchmark::State& state, uint64_t items, const std::function<void()>& work,
             const std::function<void()>& prepare) {
  if (prepare) prepare();
  work();
  const InstructionCounter instructions;
  uint64_t allocated = 0;
  for (auto _ : state) {
    if (prepare) {
      state.PauseTiming();
      prepare();
      state.ResumeTiming();
    }
    const uint64_t before = allocations();
    instructions.start();
    tidemill_measured(work);
    instructions.stop();
    allocated += allocations() - before;
  }
  const auto each = static_cast<double>(items);
  const double all = each * static_cast<double>(state.iterations());
  state.counters["items"] = each;
  state.counters["time_per_item"] = benchmark::Counter(
      each, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["allocations_per_item"] = static_cast<double>(allocated) / all;
  if (const auto total = instructions.total()) {
    state.counters["instructions_per_item"] = static_cast<double>(*total) / all;
  }
}

void report_bytes(benchmark::State& state, const char* name, double bytes, double items) {
  state.counters[name] = bytes / items;
}

void fail(const Error& error) {
  std::fprintf(stderr, "micro_bench: %s\n", error.message().c_str());
  std::exit(1);
}

}  // namespace tidemill::micro
