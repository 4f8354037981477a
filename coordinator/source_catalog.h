// SourceCatalog: what the coordinator asks the systems that hold a job's sources. When a job is
// submitted every source is bound: what a replay must decide alike (start offsets of a topic,
// identities of files, the latest event time of a file) is decided once and written into the plan.
// Later, sources that may grow are looked at again, except topics: their readers report that.
// blocking: used on the blocking pool only; calls may take seconds.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/base/time.h"
#include "shared/plan/yaml_job.h"

namespace tidemill {

class SourceCatalog {
 public:
  virtual ~SourceCatalog() = default;

  // Fills in what is decided at submission. An error says what is wrong with the source.
  virtual Status bind(proto::Source* source) = 0;
  // Appends the partitions of a source that have appeared since (new files of one with follow), and
  // completes what is known of those it has; only its input changes. Both also where an error is
  // returned: it says what is left out (a file, say), and why.
  virtual Status discover(proto::Source* source) = 0;
};

// Asks file systems and Kafka brokers.
std::shared_ptr<SourceCatalog> make_source_catalog();

// Binds all sources of a plan as compiled and numbers their source partitions. Where the job does
// not say otherwise, an event of a file or a generator later than `not_after` is a bad event. All
// errors, empty: bound.
std::vector<JobError> bind_sources(SourceCatalog* catalog, TimeUs not_after, proto::JobPlan* plan);

}  // namespace tidemill
