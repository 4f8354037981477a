// Processes of our own: started with their output in a log file, watched, ended.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace tidemill::cli {

// A pid alone may be another process by now; with its start time (clock ticks since boot) it is
// one.
struct ProcessId {
  pid_t pid = 0;
  uint64_t start_time = 0;
};

// Start time 0 if there is no such process.
ProcessId identify(pid_t pid);
// False also for a process that has ended and is only waited for.
bool is_running(const ProcessId& process);
void send_signal(const ProcessId& process, int signal);

struct ChildSpec {
  std::string program;  // path
  std::vector<std::string> args;
  std::string log;  // stdout and stderr are appended to it
};

// The child ends (SIGTERM) when the calling thread's process does, is not reached by the terminal's
// Ctrl-C, and has no signal blocked.
Result<ProcessId> start_child(const ChildSpec& spec);

// The `ready endpoint=... http=...` line that a process of ours prints when it is up.
struct ReadyLine {
  bool found = false;
  std::string endpoint;
  std::string http;  // host:port; empty if it has none
};
ReadyLine find_ready_line(const std::string& log, uint64_t from_byte);

uint64_t file_size_bytes(const std::string& path);  // 0 if there is none
// The last lines of what was logged from `from_byte` on, indented.
std::string log_tail(const std::string& log, uint64_t from_byte, size_t lines);

// Directory of the running program.
std::string own_directory();

}  // namespace tidemill::cli
