// A sample of a source's events through the job's own expressions, keys and windows, in memory:
// what a running job would make of them. Of one key partition and one state for each table; the
// code that reads, evaluates, keeps and computes is the workers' and stores'.
#pragma once

#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"
#include "shared/window/feature_value.h"

namespace tidemill::costs {

struct SampleOptions {
  std::string file;    // as file_format() knows them; the first line of a .csv names the columns
  std::string source;  // whose events they are; empty: of the only one
  size_t keys = 3;     // of each entity, to compute features of
  size_t bad = 10;     // events that could not be used, to list
  TimeUs now = 0;      // events dated a day later than that are bad, unless the job says
  uint64_t most_bytes = 0;  // of rows and keys; a larger sample is refused
};

struct BadEvent {
  // 1-based, of the file; of a record of several lines the first. Of Avro the record's number, of
  // Parquet the row, from 0.
  uint64_t line = 0;
  BadReason reason{};
  std::string view;  // in whose expressions it failed; empty for other reasons
  std::string message;
};

// What the rows of one table take at the sample's last event time.
struct TableSample {
  uint16_t table = 0;
  uint64_t rows = 0;  // of the whole sample
  uint64_t keys = 0;
  uint64_t most_rows = 0;  // of one key
  uint64_t kept_rows = 0;  // that some permitted read can still see
  uint64_t kept_keys = 0;
  uint64_t most_kept = 0;
  uint64_t bytes = 0;  // of the state that holds them, of keys and bases too
};

struct FeatureSample {
  std::string name;  // "view.feature"
  const proto::Feature* feature = nullptr;
  FeatureValue value;
};

struct KeySample {
  std::string entity;  // "customer_id"
  std::string key;     // "customer_id=596"
  uint64_t rows = 0;   // of the whole sample, in all tables of the entity
  std::vector<FeatureSample> features;
};

struct SampleReport {
  uint64_t events = 0;
  uint64_t bad = 0;        // events that are none, or that failed in a view
  uint64_t null_keys = 0;  // rows without a key, over all tables
  uint64_t too_late = 0;   // rows that a job would have dropped, as all windows had left them
  TimeUs first = kMaxTime;
  TimeUs last = kMinTime;
  std::vector<BadEvent> first_bad;  // in the order of the file
  std::vector<TableSample> tables;  // those over the source
  std::vector<KeySample> keys;      // those with most rows first, by entity
};

// `job` must outlive the report. kUser if the file or the source is not what the job reads.
Result<SampleReport> run_sample(const proto::JobPlan& job, const SampleOptions& options);

}  // namespace tidemill::costs
