// Brings a coordinator to life in a process of either runtime. The process has node
// kCoordinatorNode and at least one shard.
#pragma once

#include <memory>

#include "coordinator/config.h"
#include "coordinator/metadata_store.h"
#include "shared/runtime/host.h"

namespace tidemill {

void spawn_coordinator(ProcessHost& host, CoordinatorConfig config,
                       std::shared_ptr<MetadataStore> store);

}  // namespace tidemill
