// `tidemill generate --kafka`: generated card transactions as records of a topic.
#pragma once

#include "cli/generate.h"
#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// Writes all events of `input`, in order of their offsets, one partition of the generator after the
// other at each offset. Creates the topic if there is none. The first record that cannot be
// written ends it.
Status generate_to_kafka(const GenerateOptions& options, const proto::GeneratorInput& input);

}  // namespace tidemill
