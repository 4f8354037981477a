// A job that starts from a savepoint: whether its plan can go on with the savepoint's state, and
// which parts of its sources are the savepoint's: what a state's offsets are offsets of must be
// what it was.
#pragma once

#include <vector>

#include "coordinator/snapshot_state.h"
#include "coordinator/source_catalog.h"

namespace tidemill {

// Binds the sources of a plan as compiled, as bind_sources() does, but goes on where the savepoint
// is: its files with their identities, start offsets and numbers of source partitions are taken
// over, what there is besides is added behind them and read from its beginning.
//
// The plan must have the savepoint's number of key partitions, its sources in order, and its
// tables: the entities, columns and filters that views compute from. Views may differ otherwise, as
// long as they ask for no rows that the tables have not kept. Gives all that differs, and sources
// that cannot be bound; empty: bound. blocking
std::vector<JobError> bind_from_savepoint(SourceCatalog* catalog, TimeUs not_after,
                                          const Savepoint& savepoint, proto::JobPlan* plan);

// The bound plan's tables have the form in which the savepoint's state holds them.
bool reads_state_of(const Plan& plan, const Savepoint& savepoint);

}  // namespace tidemill
