// Whether what a plan says of a topic is valid.
#pragma once

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// Of a source that has a topic, and whose schema has been checked.
Status check_kafka(const proto::Source& source);

}  // namespace tidemill
