#include "cli/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "cli/api.h"
#include "cli/clock.h"

namespace tidemill::cli {
namespace {

constexpr int64_t kPollMs = 50;
constexpr int64_t kEndPatienceMs = 5'000;
constexpr int64_t kFirstBackoffMs = 500;
constexpr int64_t kLongestBackoffMs = 30'000;
constexpr int64_t kHealthyMs = 60'000;  // who lived this long starts with the first backoff again
constexpr size_t kTailLines = 12;

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  return set;
}

std::string how_it_ended(int wait_status) {
  if (WIFSIGNALED(wait_status)) return "ended by signal " + std::to_string(WTERMSIG(wait_status));
  return "ended with code " + std::to_string(WEXITSTATUS(wait_status));
}

std::string loopback(uint32_t port) { return "127.0.0.1:" + std::to_string(port); }

// A line for whoever watches: the terminal, or the supervisor's log.
void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

Supervisor::Supervisor(SupervisorConfig config) : config_(std::move(config)) {
  const sigset_t set = watched_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
}

Supervisor::~Supervisor() {
  stop();
  if (lock_ >= 0) close(lock_);
}

Status Supervisor::lock() {
  std::error_code ec;
  std::filesystem::create_directories(config_.dir + "/logs", ec);
  if (ec) return user_error("cannot make " + config_.dir + "/logs: " + ec.message());
  const std::string path = config_.dir + "/lock";
  lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) return user_error("cannot open " + path + ": " + std::strerror(errno));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    return user_error("a cluster runs in " + config_.dir +
                      " already: end it with `tidemill down --dir " + config_.dir +
                      "`, or use another --dir and --ports-from");
  }
  return {};
}

void Supervisor::add_child(const std::string& name, const std::string& program,
                           std::vector<std::string> args) {
  Child child;
  child.name = name;
  child.spec.program =
      (config_.programs.empty() ? own_directory() : config_.programs) + "/" + program;
  child.spec.args = std::move(args);
  child.spec.log = config_.dir + "/logs/" + name + ".log";
  children_.push_back(std::move(child));
}

Status Supervisor::launch(Child& child) {
  child.log_from = file_size_bytes(child.spec.log);
  child.ready = {};
  child.announced = false;
  child.started_ms = monotonic_ms();
  auto id = start_child(child.spec);
  if (!id.ok()) return id.error();
  child.id = *id;
  child.running = true;
  return {};
}

Status Supervisor::start() {
  const Status status = start_all();
  if (!status.ok()) stop();
  return status;
}

Status Supervisor::start_all() {
  const int64_t deadline_ms = monotonic_ms() + config_.start_timeout_ms;
  const uint32_t p = config_.ports_from;
  const auto port = [p](uint32_t plus) { return loopback(p == 0 ? 0 : p + plus); };
  const std::string letters = config_.dir + "/dead-letters";
  const std::string snapshots = config_.dir + "/snapshots";
  add_child("coordinator", "tidemill-coordinator",
            {"--data-dir", config_.dir + "/coordinator", "--listen", "tcp://" + port(1), "--http",
             port(0), "--dead-letters", letters, "--snapshots", snapshots});
  if (const Status status = launch(children_[0]); !status.ok()) return status;
  if (const Status status = wait_ready(0, deadline_ms); !status.ok()) return status;
  keep_coordinators_ports();

  const std::string control = children_[0].ready.endpoint;
  const std::string shards = std::to_string(config_.shards);
  for (uint32_t w = 1; w <= config_.workers; ++w) {
    const std::string name = "worker-" + std::to_string(w);
    add_child(name, "tidemill-worker",
              {"--coordinator", control, "--shards", shards, "--dead-letters", letters,
               "--snapshots", snapshots, "--data-dir", config_.dir + "/" + name});
  }
  add_child("store", "tidemill-store",
            {"--coordinator", control, "--http", port(10), "--shards", shards, "--snapshots",
             snapshots, "--data-dir", config_.dir + "/store"});
  for (size_t c = 1; c < children_.size(); ++c) {
    if (const Status status = launch(children_[c]); !status.ok()) return status;
  }
  if (const Status status = wait_ready(1, deadline_ms); !status.ok()) return status;
  children_.back().spec.args[3] = children_.back().ready.http;  // the same port after a restart
  if (const Status status = wait_joined(deadline_ms); !status.ok()) return status;
  record();
  return {};
}

// A coordinator that is started again must be where the members look for it.
void Supervisor::keep_coordinators_ports() {
  Child& coordinator = children_[0];
  coordinator.spec.args[3] = coordinator.ready.endpoint;
  coordinator.spec.args[5] = coordinator.ready.http;
}

// Fails if a process has ended, or if it is asked to end itself.
Status Supervisor::check_starting() {
  const int signal = wait_signal(kPollMs);
  if (signal != 0 && signal != SIGCHLD) return fatal_error("interrupted while starting");
  for (Child& child : children_) {
    int status = 0;
    if (!child.running || waitpid(child.id.pid, &status, WNOHANG) != child.id.pid) continue;
    child.running = false;
    return fatal_error(child.name + " " + how_it_ended(status) + " while starting; from " +
                       child.spec.log + ":\n" +
                       log_tail(child.spec.log, child.log_from, kTailLines) +
                       "  if a port is in use, take others with --ports-from N, or free ones with "
                       "--ports-from 0");
  }
  return {};
}

Status Supervisor::wait_ready(size_t first, int64_t deadline_ms) {
  for (;;) {
    const Child* missing = nullptr;
    for (size_t c = first; c < children_.size(); ++c) {
      Child& child = children_[c];
      if (!child.ready.found) child.ready = find_ready_line(child.spec.log, child.log_from);
      child.announced = child.ready.found;
      if (!child.ready.found) missing = &child;
    }
    if (missing == nullptr) return {};
    if (const Status status = check_starting(); !status.ok()) return status;
    if (monotonic_ms() > deadline_ms) {
      return fatal_error(missing->name + " was not ready within " +
                         std::to_string(config_.start_timeout_ms / 1000) + " s; from " +
                         missing->spec.log + ":\n" +
                         log_tail(missing->spec.log, missing->log_from, kTailLines));
    }
  }
}

bool Supervisor::all_joined() const {
  const Reply reply = call("GET", cluster().coordinator + "/v1/cluster");
  if (!reply.ok()) return false;
  return std::all_of(children_.begin() + 1, children_.end(), [&](const Child& child) {
    const auto& members = list_of(reply.json, "members");
    return std::any_of(members.begin(), members.end(), [&](const nlohmann::json& member) {
      return flag_of(member, "alive") &&
             number_of(member, "pid") == static_cast<uint64_t>(child.id.pid);
    });
  });
}

Status Supervisor::wait_joined(int64_t deadline_ms) {
  while (!all_joined()) {
    if (const Status status = check_starting(); !status.ok()) return status;
    if (monotonic_ms() > deadline_ms) {
      return fatal_error("not all processes joined the cluster within " +
                         std::to_string(config_.start_timeout_ms / 1000) + " s: see " +
                         config_.dir + "/logs");
    }
  }
  return {};
}

void Supervisor::run() {
  for (;;) {
    const int signal = wait_signal(1'000);
    if (signal != 0 && signal != SIGCHLD) return;
    reap();
    supervise(monotonic_ms());
  }
}

void Supervisor::reap() {
  for (Child& child : children_) {
    int status = 0;
    if (!child.running || waitpid(child.id.pid, &status, WNOHANG) != child.id.pid) continue;
    child.running = false;
    schedule_restart(child, status, monotonic_ms());
  }
}

void Supervisor::schedule_restart(Child& child, int wait_status, int64_t now_ms) {
  std::string line =
      child.name + " (pid " + std::to_string(child.id.pid) + ") " + how_it_ended(wait_status);
  if (!config_.restart) {
    say(line + "; it is not started again (--no-restart); log: " + child.spec.log);
    return;
  }
  const bool healthy = now_ms - child.started_ms >= kHealthyMs;
  child.backoff_ms = child.backoff_ms == 0 || healthy
                         ? kFirstBackoffMs
                         : std::min(child.backoff_ms * 2, kLongestBackoffMs);
  child.restart_at_ms = now_ms + child.backoff_ms;
  say(line + "; starting it again in " + std::to_string(child.backoff_ms) +
      " ms; log: " + child.spec.log);
}

// Starts again what is due, and records what has become ready since.
void Supervisor::supervise(int64_t now_ms) {
  for (Child& child : children_) {
    if (!child.running && config_.restart && now_ms >= child.restart_at_ms) {
      const Status status = launch(child);
      if (!status.ok()) {
        say(child.name + ": " + status.error().message());
        child.restart_at_ms = now_ms + kLongestBackoffMs;
      }
    } else if (child.running && !child.announced) {
      child.ready = find_ready_line(child.spec.log, child.log_from);
      if (!child.ready.found) continue;
      child.announced = true;
      say(child.name + " is up again (pid " + std::to_string(child.id.pid) + ")");
      record();
    }
  }
}

void Supervisor::end(size_t first, size_t last) {
  const auto any_running = [&] {
    for (size_t c = first; c < last; ++c) {
      Child& child = children_[c];
      if (child.running && waitpid(child.id.pid, nullptr, WNOHANG) == child.id.pid) {
        child.running = false;
      }
    }
    return std::any_of(children_.begin() + static_cast<ptrdiff_t>(first),
                       children_.begin() + static_cast<ptrdiff_t>(last),
                       [](const Child& child) { return child.running; });
  };
  for (const int signal : {SIGTERM, SIGKILL}) {
    const int64_t deadline_ms = monotonic_ms() + kEndPatienceMs;
    for (size_t c = first; c < last; ++c) {
      if (children_[c].running) kill(children_[c].id.pid, signal);
    }
    while (any_running() && monotonic_ms() < deadline_ms) sleep_ms(10);
  }
}

void Supervisor::stop() {
  if (stopping_ || children_.empty()) return;
  stopping_ = true;
  end(1, children_.size());
  end(0, 1);
  ClusterFile::remove(config_.dir);
}

ClusterFile Supervisor::cluster() const {
  ClusterFile out;
  out.supervisor = identify(getpid());
  for (const Child& child : children_) {
    out.processes.push_back(
        {child.name, child.id, child.ready.endpoint, child.ready.http, child.spec.log});
  }
  if (!children_.empty()) {
    out.coordinator = "http://" + children_.front().ready.http;
    out.store = "http://" + children_.back().ready.http;
  }
  return out;
}

void Supervisor::record() {
  const Status status = cluster().save(config_.dir);
  if (!status.ok()) say(status.error().message());
}

int Supervisor::wait_signal(int64_t timeout_ms) {
  const sigset_t set = watched_signals();
  const timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1'000'000};
  const int signal = sigtimedwait(&set, nullptr, &timeout);
  return signal < 0 ? 0 : signal;
}

}  // namespace tidemill::cli
