// The keys of a sample with most rows, and their features at one time.
#pragma once

#include <string>
#include <vector>

#include "cli/costs/sample_rows.h"

namespace tidemill::costs {

// Of each entity up to `most` keys, those with most rows first, of equals the lesser key. Features
// are in the order of the job.
std::vector<KeySample> sample_keys(const Plan& plan, const SampleRows& rows, size_t most,
                                   TimeUs as_of);

}  // namespace tidemill::costs
