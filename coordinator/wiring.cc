#include "coordinator/wiring.h"

#include <utility>

#include "coordinator/coordinator.h"
#include "shared/wire/actors.h"

namespace tidemill {

void spawn_coordinator(ProcessHost& host, CoordinatorConfig config,
                       std::shared_ptr<MetadataStore> store) {
  host.spawn(kAgent, [config, store = std::move(store)](Runtime& runtime) {
    return std::make_unique<Coordinator>(runtime, config, store);
  });
}

}  // namespace tidemill
