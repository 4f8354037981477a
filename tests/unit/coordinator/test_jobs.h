// Small valid plans for the coordinator's tests.
#pragma once

#include <memory>
#include <string>

#include "shared/plan/plan.h"

namespace tidemill::testing {

// Counts per customer over a generator source.
std::shared_ptr<const Plan> small_plan(const std::string& name, uint32_t key_partitions,
                                       uint32_t source_partitions);

}  // namespace tidemill::testing
