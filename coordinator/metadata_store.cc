#include "coordinator/metadata_store.h"

#include <utility>

#include "coordinator/metadata_batch.h"
#include "coordinator/rocksdb_store.h"

namespace tidemill {

MetadataStore::MetadataStore(std::unique_ptr<KeyValueStore> store) : store_(std::move(store)) {}

Result<std::shared_ptr<MetadataStore>> MetadataStore::open_on(std::shared_ptr<Disk> disk,
                                                              const std::string& directory) {
  auto store = open_rocksdb_store(std::move(disk), directory);
  if (!store) return store.error();
  return std::make_shared<MetadataStore>(std::move(*store));
}

Result<CoordinatorState> MetadataStore::start_generation() {
  const auto values = store_->load();
  if (!values) return values.error();
  auto state = metadata_state(*values);
  if (!state) return state;
  const auto noted = store_->noted_generation();
  if (!noted) return noted.error();
  if (state->generation < *noted) {
    return corrupt_error("the coordinator metadata is of generation " +
                         std::to_string(state->generation) + ", but generation " +
                         std::to_string(*noted) +
                         " was seen here: the database has lost data; restore it from a copy, or "
                         "remove it to begin with an empty cluster");
  }
  const CoordinatorState before = *state;
  ++state->generation;
  if (auto status = commit(before, *state); !status) return status.error();
  if (auto status = store_->note_generation(state->generation); !status) return status.error();
  return state;
}

Status MetadataStore::commit(const CoordinatorState& before, const CoordinatorState& after) {
  return store_->commit(metadata_batch(before, after));
}

}  // namespace tidemill
