// Settings of the Kafka client, from a plan: names and values are librdkafka's (CONFIGURATION.md of
// its 2.0.2). "${NAME}" in a value stands for the environment variable of the process that
// connects, so that secrets are in no plan; which ones is said in shared/plan/kafka_settings.h.
// What Tidemill decides itself is refused: offsets come from the job's own state, never from a
// consumer group.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

using KafkaSetting = std::pair<std::string, std::string>;  // name and value

// All that is wrong with the settings as far as can be said without connecting: names that
// librdkafka does not have, values that it refuses, settings that are not the user's to choose.
// Variables need not be set here.
Status check_client_settings(const proto::KafkaInput& input);

// The settings with their variables expanded, by name. A variable that is not set is an error.
Result<std::vector<KafkaSetting>> expand_client_settings(const proto::KafkaInput& input);

// `value` with each ${NAME} replaced by what `lookup` says; null from it: not set. Names that a job
// may not use are an error, and are not looked up.
Result<std::string> expand_variables(const std::string& value,
                                     const char* (*lookup)(const char* name));

}  // namespace tidemill
