// Small valid plans for the coordinator's tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "coordinator/coordinator_state.h"
#include "proto/control.pb.h"
#include "shared/plan/plan.h"

namespace tidemill::testing {

// Counts per customer over a generator source.
std::shared_ptr<const Plan> small_plan(const std::string& name, uint32_t key_partitions,
                                       uint32_t source_partitions);

// Likewise over a topic of Kafka.
std::shared_ptr<const Plan> topic_plan(const std::string& name, uint32_t key_partitions,
                                       uint32_t topic_partitions);

// Likewise over followed files with these paths.
std::shared_ptr<const Plan> files_plan(const std::string& name, uint32_t key_partitions,
                                       const std::vector<std::string>& paths);
void add_file(const std::string& path, proto::FilesInput* files);

// A worker that reads the source partitions which `entry` grants it, and owns nothing.
proto::Heartbeat reading(NodeId worker, const JobEntry& entry);

}  // namespace tidemill::testing
