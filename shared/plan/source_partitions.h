// Source partitions of a plan: numbered over all sources, in the order in which they became known.
#pragma once

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// How many partitions the source has now: its files, those of its generator, or of its topic (as
// many as have a start offset).
uint32_t partition_count(const proto::Source& source);

// It may get further partitions while a job reads it: a topic, followed files, and a generator that
// has not all of its partitions yet. No job with such a source is complete.
bool may_grow(const proto::Source& source);

// Appends the source partitions that have no number yet to plan->source_partitions().
void number_source_partitions(proto::JobPlan* plan);

// Each source's partitions are there once, in rising order of index, and none else.
Status check_source_partitions(const proto::JobPlan& plan);

}  // namespace tidemill
