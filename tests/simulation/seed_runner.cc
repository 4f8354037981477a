#include "tests/simulation/seed_runner.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "shared/base/assert.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

constexpr size_t kStderrBytesMax = 1500;

// Of all children and their parent.
struct Board {
  std::atomic<uint64_t> next;
  std::atomic<bool> enough;
  std::atomic<uint64_t> running[256];  // seed of each child; 0: none
};

struct Child {
  pid_t pid = 0;
  int results = -1;  // to read from
  int errors = -1;   // what it writes to stderr, in memory
  std::string line;  // read, and not complete
};

std::string to_line(uint64_t seed, const SimOutcome& o) {
  return json{{"seed", seed},
              {"violation", o.violation},
              {"trace_hash", o.trace_hash},
              {"events", o.events},
              {"answers_while_running", o.answers_while_running},
              {"answers_before_growth", o.answers_before_growth},
              {"answers_at_end", o.answers_at_end},
              {"not_ready_answers", o.not_ready_answers},
              {"counts", o.counts}}
             .dump(-1, ' ', false, json::error_handler_t::replace) +
         "\n";
}

std::pair<uint64_t, SimOutcome> from_line(const std::string& line) {
  const json j = json::parse(line);
  SimOutcome o;
  o.violation = j["violation"];
  o.trace_hash = j["trace_hash"];
  o.events = j["events"];
  o.answers_while_running = j["answers_while_running"];
  o.answers_before_growth = j["answers_before_growth"];
  o.answers_at_end = j["answers_at_end"];
  o.not_ready_answers = j["not_ready_answers"];
  o.counts = j["counts"].get<std::map<std::string, uint64_t>>();
  return {j["seed"].get<uint64_t>(), std::move(o)};
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n <= 0) _exit(1);
    text.remove_prefix(static_cast<size_t>(n));
  }
}

// A seed that takes longer is ended by SIGPROF.
void limit_cpu(uint32_t seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = seconds;
  setitimer(ITIMER_PROF, &timer, nullptr);
}

class Runner {
 public:
  Runner(const SeedRunnerConfig& config, const RunSeed& run, const SeedEnded& ended)
      : config_(config), run_(run), ended_(ended) {
    void* memory =
        mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(memory != MAP_FAILED);
    board_ = new (memory) Board{};
    board_->next = config.first;
    size_t jobs = config.jobs != 0 ? config.jobs : std::thread::hardware_concurrency();
    jobs = std::min<size_t>({jobs, std::size(board_->running), config.count});
    children_.resize(jobs);
  }
  ~Runner() { munmap(board_, sizeof(Board)); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void run() {
    for (size_t i = 0; i < children_.size(); ++i) begin(i);
    while (poll_children()) {
    }
  }

 private:
  void begin(size_t slot) {
    int ends[2];
    ASSERT(pipe(ends) == 0);
    Child& child = children_[slot];
    child.errors = memfd_create("stderr", 0);
    child.line.clear();
    board_->running[slot] = 0;
    std::fflush(nullptr);
    child.pid = fork();
    ASSERT(child.pid >= 0);
    if (child.pid == 0) {
      close(ends[0]);
      dup2(child.errors, STDERR_FILENO);
      be_child(slot, ends[1]);
    }
    close(ends[1]);
    child.results = ends[0];
  }

  [[noreturn]] void be_child(size_t slot, int results) {
    while (!board_->enough) {
      const uint64_t seed = board_->next++;
      if (seed >= config_.first + config_.count) break;
      board_->running[slot] = seed;
      limit_cpu(config_.cpu_seconds_max);
      const SimOutcome outcome = run_(seed);
      limit_cpu(0);
      write_all(results, to_line(seed, outcome));
      board_->running[slot] = 0;
    }
    _exit(0);
  }

  // False: there are no more.
  bool poll_children() {
    std::vector<pollfd> fds;
    for (const Child& child : children_) {
      if (child.pid != 0) fds.push_back({child.results, POLLIN, 0});
    }
    if (fds.empty()) return false;
    poll(fds.data(), fds.size(), -1);
    for (const pollfd& fd : fds) {
      if (fd.revents == 0) continue;
      for (size_t i = 0; i < children_.size(); ++i) {
        if (children_[i].pid != 0 && children_[i].results == fd.fd) hear(i);
      }
    }
    return true;
  }

  void hear(size_t slot) {
    Child& child = children_[slot];
    char bytes[1 << 16];
    const ssize_t n = read(child.results, bytes, sizeof(bytes));
    if (n <= 0) return bury(slot);
    child.line.append(bytes, static_cast<size_t>(n));
    for (size_t end = child.line.find('\n'); end != std::string::npos;
         end = child.line.find('\n')) {
      const auto [seed, outcome] = from_line(child.line.substr(0, end));
      child.line.erase(0, end + 1);
      tell(seed, outcome);
    }
  }

  void bury(size_t slot) {
    Child& child = children_[slot];
    int status = 0;
    waitpid(child.pid, &status, 0);
    close(child.results);
    child.pid = 0;
    const uint64_t seed = board_->running[slot];
    if (seed != 0) {
      SimOutcome outcome;
      outcome.violation = how_it_died(status) + ": " + last_errors(child.errors);
      tell(seed, outcome);
    }
    close(child.errors);
    if (seed != 0 && !board_->enough) begin(slot);
  }

  void tell(uint64_t seed, const SimOutcome& outcome) {
    if (!board_->enough && !ended_(seed, outcome)) board_->enough = true;
  }

  std::string how_it_died(int status) const {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) {
      return "took more than " + std::to_string(config_.cpu_seconds_max) + " s of CPU time";
    }
    if (WIFSIGNALED(status)) {
      return std::string("ended by signal ") + strsignal(WTERMSIG(status));
    }
    return "exited with " + std::to_string(WEXITSTATUS(status));
  }

  static std::string last_errors(int fd) {
    const off_t size = lseek(fd, 0, SEEK_END);
    const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kStderrBytesMax));
    std::string text(static_cast<size_t>(size - from), '\0');
    const ssize_t n = pread(fd, text.data(), text.size(), from);
    text.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
    return text;
  }

  const SeedRunnerConfig& config_;
  const RunSeed& run_;
  const SeedEnded& ended_;
  Board* board_;
  std::vector<Child> children_;
};

}  // namespace

void run_seeds(const SeedRunnerConfig& config, const RunSeed& run, const SeedEnded& ended) {
  if (config.count > 0) Runner(config, run, ended).run();
}

std::string how_to_rerun(uint64_t seed) {
  return "again: TIDEMILL_SIM_SHOW=" + std::to_string(seed) +
         " build/release/bin/simulation_test --gtest_filter='OneSeed.*'";
}

std::string count_table(const std::map<std::string, uint64_t>& counts) {
  size_t width = 0;
  for (const auto& [what, n] : counts) width = std::max(width, what.size());
  std::string out;
  for (const auto& [what, n] : counts) {
    out += what + std::string(width + 2 - what.size(), ' ') + std::to_string(n) + "\n";
  }
  return out;
}

}  // namespace tidemill::test
