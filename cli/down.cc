#include "cli/down.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "cli/clock.h"
#include "cli/cluster_file.h"

namespace tidemill::cli {
namespace {

constexpr int64_t kSupervisorPatienceMs = 15'000;  // it gives its children twice 5 s
constexpr int64_t kChildPatienceMs = 5'000;

bool wait_ended(const std::vector<ProcessId>& processes, int64_t patience_ms) {
  const int64_t deadline_ms = monotonic_ms() + patience_ms;
  while (std::any_of(processes.begin(), processes.end(), is_running)) {
    if (monotonic_ms() > deadline_ms) return false;
    sleep_ms(10);
  }
  return true;
}

bool end(const std::vector<ProcessId>& processes, int64_t patience_ms) {
  for (const int signal : {SIGTERM, SIGKILL}) {
    for (const ProcessId& process : processes) send_signal(process, signal);
    if (wait_ended(processes, patience_ms)) return true;
  }
  return false;
}

}  // namespace

ExitCode DownCommand::run(const GlobalOptions& global) const {
  const auto cluster = ClusterFile::load(dir);
  if (!cluster.ok()) {
    return fail(ExitCode::kFailed, cluster.error().message() +
                                       ": no cluster was started there; name its directory with "
                                       "--dir");
  }
  // The supervisor ends its children; those are ended here only if it could not.
  bool ended = end({cluster->supervisor}, kSupervisorPatienceMs);
  std::vector<ProcessId> left;
  for (const ClusterProcess& process : cluster->processes) left.push_back(process.id);
  ended = end(left, kChildPatienceMs) && ended;
  if (!ended) {
    return fail(ExitCode::kFailed, "some processes of " + ClusterFile::path_in(dir) +
                                       " could not be ended: end them by hand");
  }
  ClusterFile::remove(dir);
  std::puts(global.json ? "{\"ended\":true}" : "the cluster has ended");
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
