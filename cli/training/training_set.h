// make_training_set: the features of a job at the times that a spine names, each as the store would
// have answered at that time, beside the spine's own columns.
//
// First the spine and the history are read, by key partition and in order of time, what exceeds the
// budget as sorted runs on disk. Then each key partition's history and spine are joined, on all
// threads. At last the rows are written in the spine's order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cli/training/history.h"
#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill::training {

enum class Phase { kSpine, kHistory, kFeatures, kOutput };

struct TrainingSetOptions {
  std::string spine;  // files
  std::string out;
  std::string service;  // empty: all features
  std::string time_column = "event_time";
  KnownAt known_at;
  // Of rows of history and spine, and of results, that are held until they are joined and written;
  // what exceeds it goes to spill_dir. Window state and what is being read come on top.
  uint64_t memory_budget = uint64_t{1} << 30;
  std::string spill_dir;
  unsigned threads = 1;
  TimeUs now = 0;  // history must not be dated more than a day later, where a source sets no bound
  // From any thread; `total` 0: not known.
  std::function<void(Phase, uint64_t done, uint64_t total)> progress;
};

struct TrainingSetReport {
  uint64_t rows = 0;
  size_t features = 0;
  HistoryReport history;
  uint64_t spilled_bytes = 0;
  uint64_t approximate_values = 0;  // of keys with more rows than their views' max_rows
};

// `plan`: as compiled of the job's YAML.
Result<TrainingSetReport> make_training_set(proto::JobPlan plan, const TrainingSetOptions& options);

}  // namespace tidemill::training
