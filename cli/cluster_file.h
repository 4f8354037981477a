// ClusterFile: <dir>/cluster.json, what `tidemill up` leaves behind about the cluster it runs, so
// that other commands find it and `tidemill down` can end it.
//
//   {"pid":10,"start_time":993,"coordinator":"http://127.0.0.1:7070","store":"http://...",
//    "processes":[{"name":"worker-1","pid":12,"start_time":995,"endpoint":"tcp://...",
//                  "http":"","log":"run/logs/worker-1.log"}]}
//
// Replaced whole (written beside, then renamed), so that a reader never sees half of it.
#pragma once

#include <string>
#include <vector>

#include "cli/child_process.h"
#include "shared/base/result.h"

namespace tidemill::cli {

struct ClusterProcess {
  std::string name;
  ProcessId id;
  std::string endpoint;
  std::string http;  // host:port; empty if it has none
  std::string log;
};

struct ClusterFile {
  ProcessId supervisor;
  std::string coordinator;  // URL
  std::string store;        // URL
  std::vector<ClusterProcess> processes;

  std::string to_json() const;

  static std::string path_in(const std::string& dir) { return dir + "/cluster.json"; }
  static Result<ClusterFile> load(const std::string& dir);
  Status save(const std::string& dir) const;
  static void remove(const std::string& dir);
};

}  // namespace tidemill::cli
