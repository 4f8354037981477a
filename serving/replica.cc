#include "serving/replica.h"

#include "shared/base/assert.h"
#include "shared/base/mutation.h"
#include "shared/window/block_list.h"

namespace tidemill {

Replica::Replica(TableSchemas tables, KeyPartitionId id)
    : tables_(std::move(tables)), window_(tables_), follower_(tables_, id, this) {}

void Replica::set_features(TableSchemas tables) {
  tables_ = std::move(tables);
  window_.set_features(tables_);
  follower_.set_schemas(tables_);
}

void Replica::restore(StateHead head) {
  window_.set_complete(head.ancestry.empty());
  follower_.restore(std::move(head));
}

void Replica::append(const RowBlockView& block, uint64_t number) {
  window_.append(block, number);
  rows_applied_ += block.rows();
}

Status Replica::replace(bool whole, std::span<const Buffer> images, uint64_t number) {
  if (whole) {
    const TimeUs horizon = window_.horizon();
    clear();
    window_.raise_horizon(horizon);
  }
  for (const Buffer& bytes : images) {
    ByteReader in(bytes.bytes());
    while (in.remaining() > 0) {
      if (Status applied = window_.apply_image(&in, number); !applied) return applied;
    }
  }
  return {};
}

void Replica::raise_horizon(TimeUs horizon) { window_.raise_horizon(horizon); }

void Replica::raise_floors(const TableFloors& floors) {
  std::vector<TimeUs> times;
  for (const TableFloor& floor : floors) times.push_back(floor.floor);
  window_.raise_floors(times);
}

void Replica::clear() {
  window_ = PartitionState(tables_);
  window_.set_complete(growth_allowed_);
}

void Replica::allow_growth(bool allowed) {
  growth_allowed_ = allowed;
  if (!allowed) window_.set_complete(false);
}

Result<bool> Replica::load(const Stamp& at, std::span<const StateKey> keys,
                           std::span<const std::vector<uint8_t>> images) {
  ASSERT(keys.size() == images.size());
  if (at != follower_.on_disk()) return false;
  for (const StateKey& key : keys) window_.begin_load(key.table, key.key, key.hash);
  Status loaded;
  for (const auto& image : images) {
    if (loaded.ok()) loaded = load_images(image, PartitionState::Load::kBegun);
  }
  if (loaded.ok()) loaded = load_pending(PartitionState::Load::kBegun);
  window_.end_load();
  if (!loaded) return loaded.error();
  return true;
}

Result<bool> Replica::load_page(const Stamp& at, std::span<const uint8_t> images) {
  if (at != follower_.on_disk()) return false;
  Status loaded = load_images(images, PartitionState::Load::kMissing);
  if (loaded.ok()) loaded = load_pending(PartitionState::Load::kBegun);
  window_.end_load();
  if (!loaded) return loaded.error();
  return true;
}

// What is in memory now or in the pending changes is all there is.
void Replica::finish_loading() {
  const Status loaded = load_pending(PartitionState::Load::kMissing);
  window_.end_load();
  if (loaded.ok()) window_.set_complete(true);
}

Status Replica::load_images(std::span<const uint8_t> images, PartitionState::Load which) {
  ByteReader in(images);
  while (in.remaining() > 0) {
    if (Status loaded = window_.load_image(&in, follower_.covered(), which); !loaded) return loaded;
  }
  return {};
}

// The pending changes of keys that are being loaded. They were checked when they came.
Status Replica::load_pending(PartitionState::Load which) {
  if (mutated(Mutation::kEvictUncovered)) return {};
  std::vector<RowBlockView> views;
  for (const Follower::Pending& p : follower_.pending()) {
    const Buffer& bytes = p.change.bytes;
    if (p.change.kind == StateChange::Kind::kRows) {
      views.clear();
      if (Status parsed = parse_blocks(bytes, *tables_, &views); !parsed) return parsed;
      for (const RowBlockView& view : views) window_.load_rows(view, p.number, which);
      continue;
    }
    ByteReader in(bytes.bytes());
    while (in.remaining() > 0) {
      if (Status loaded = window_.load_image(&in, p.number, which); !loaded) return loaded;
    }
  }
  return {};
}

PartitionState::Evicted Replica::evict(uint64_t bytes, size_t slots) {
  const PartitionState::Evicted out = window_.evict(bytes, follower_.covered(), slots);
  evicted_keys_ += out.keys;
  return out;
}

}  // namespace tidemill
