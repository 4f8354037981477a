// Supervisor: a local cluster as child processes: one coordinator, N workers, one serving store. It
// starts them, waits until all have joined, starts again what dies, and ends them.
//
// One thread. SIGINT, SIGTERM, SIGHUP and SIGCHLD are blocked from construction on and taken from
// the queue here. State and logs lie under one directory, which is locked for as long as the
// supervisor lives; cluster.json in it always names the processes as they are now.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/child_process.h"
#include "cli/cluster_file.h"
#include "shared/base/result.h"

namespace tidemill::cli {

struct SupervisorConfig {
  std::string dir = "./run";
  std::string programs;  // directory of tidemill-coordinator and the others; empty: our own
  uint32_t workers = 3;
  uint32_t shards = 1;         // of each worker and of the store
  uint32_t ports_from = 7070;  // P: coordinator http P, control P+1, store http P+10; 0: free ones
  bool restart = true;
  int64_t start_timeout_ms = 60'000;
};

class Supervisor {
 public:
  explicit Supervisor(SupervisorConfig config);
  ~Supervisor();  // ends what still runs
  Supervisor(const Supervisor&) = delete;

  // Takes the directory's lock. Fails if another cluster runs there.
  Status lock();
  // Returns when all processes have joined the cluster; on failure all have ended again.
  Status start();
  // Supervises until SIGINT, SIGTERM or SIGHUP.
  void run();
  // Members first, then the coordinator; SIGKILL for what has not ended after 5 s.
  void stop();

  ClusterFile cluster() const;

 private:
  struct Child {
    std::string name;
    ChildSpec spec;
    ProcessId id;
    ReadyLine ready;
    uint64_t log_from = 0;  // where this incarnation's log begins
    bool running = false;
    bool announced = false;  // its ready line was seen and recorded
    int64_t started_ms = 0;
    int64_t backoff_ms = 0;
    int64_t restart_at_ms = 0;
  };

  void add_child(const std::string& name, const std::string& program,
                 std::vector<std::string> args);
  Status launch(Child& child);
  Status wait_ready(size_t first, int64_t deadline_ms);
  Status wait_joined(int64_t deadline_ms);
  Status check_starting();
  Status start_all();
  bool all_joined() const;
  void reap();
  void supervise(int64_t now_ms);
  void schedule_restart(Child& child, int wait_status, int64_t now_ms);
  void keep_coordinators_ports();
  void end(size_t first, size_t last);
  void record();
  // The next signal within `timeout_ms`, or 0.
  int wait_signal(int64_t timeout_ms);

  SupervisorConfig config_;
  std::vector<Child> children_;  // the coordinator is the first
  int lock_ = -1;
  bool stopping_ = false;
};

}  // namespace tidemill::cli
