#include "tests/simulation/sim_snapshots.h"

#include <algorithm>

#include "shared/base/hash.h"
#include "shared/snapshot/snapshots.h"
#include "shared/state/floors.h"
#include "shared/window/feature_value_json.h"
#include "shared/window/partition_state.h"

namespace tidemill::test {

using nlohmann::json;

namespace {

constexpr size_t kPageBytes = 64 << 10;
constexpr int64_t kAnswersWithinUs = 20'000'000;

// As a store answers it.
json to_json(const FeatureValue& value, ColumnType type) {
  std::string text;
  append_feature_value(value, type, &text);
  return json::parse(text);
}

// The state that a disk holds, whole in memory.
Result<PartitionState> load_state(PartitionDisk* disk, const TableSchemas& tables,
                                  StateHead* head) {
  auto scan = disk->scan(std::nullopt);
  if (!scan) return scan.error();
  *head = (*scan)->head();
  PartitionState state(tables);
  for (bool more = true; more;) {
    ByteWriter images;
    auto next = (*scan)->next(kPageBytes, &images);
    if (!next) return next.error();
    more = *next;
    const std::vector<uint8_t> bytes = images.take();
    ByteReader in(bytes);
    while (in.remaining() > 0) {
      if (Status applied = state.apply_image(&in, 1); !applied) return applied.error();
    }
  }
  state.raise_horizon(head->horizon);
  keep_as_of(*tables, head);
  std::vector<TimeUs> floors;
  for (const TableFloor& floor : head->floors) floors.push_back(floor.floor);
  state.raise_floors(floors);
  return state;
}

}  // namespace

std::vector<SimSnapshots::Registered> SimSnapshots::list_registered(uint32_t key_partitions) {
  std::vector<Registered> out;
  uint32_t answered = 0;
  for (uint32_t k = 0; k < key_partitions; ++k) {
    const std::string target =
        "/v1/jobs/" + people_->job() + "/key-partitions/" + std::to_string(k) + "/snapshots";
    people_->ask("GET", target, "", [&, k](const HttpResponse& response) {
      ++answered;
      if (response.status != 200) return fail_("snapshots: " + response.body);
      const json answer = json::parse(response.body);
      for (const json& snapshot : answer["snapshots"]) {
        out.push_back({k, snapshot["manifest"]});
      }
    });
  }
  sim_->run_until([&] { return answered == key_partitions; }, sim_->now_us() + kAnswersWithinUs);
  if (answered < key_partitions) fail_("the snapshots that are left were not told");
  return out;
}

bool SimSnapshots::is_registered(const Registered& one, uint32_t key_partitions) {
  const auto now = list_registered(key_partitions);
  return std::any_of(now.begin(), now.end(),
                     [&](const Registered& r) { return r.manifest == one.manifest; });
}

// By the fault plan, so that it must not verify.
bool SimSnapshots::is_damaged(const std::string& manifest) {
  if (machines_->is_damaged(manifest)) return true;
  const auto read = read_manifest(machines_->storage().plain(), manifest);
  if (!read) return false;
  return std::any_of(read->files().begin(), read->files().end(),
                     [&](const auto& file) { return machines_->is_damaged(file.object()); });
}

void SimSnapshots::check(const Registered& registered, const Plan& plan, SimReads* reads) {
  const std::string what = "snapshot " + registered.manifest;
  SnapshotStorage* storage = machines_->storage().plain();
  const auto problems = verify_snapshot(storage, registered.manifest);
  const bool bad = !problems || !problems->empty();
  if (bad != is_damaged(registered.manifest)) {
    // Others took its place while answers were awaited, and it was removed.
    if (bad && !is_registered(registered, plan.key_partitions())) return;
    return fail_(what + (bad ? " is damaged: " : " verifies although a bit of it has flipped") +
                 (!problems ? problems.error().message()
                  : bad     ? problems->front()
                            : ""));
  }
  if (bad) {
    ++damaged_;
    return;
  }
  ++verified_;
  SimDisk scratch(1);
  PartitionDiskConfig config;
  config.disk = scratch.mount();
  config.directory = "/restored";
  config.key_partition = KeyPartitionId(registered.key_partition);
  config.schemas = plan.tables();
  auto disk = PartitionDisk::open(std::move(config));
  if (!disk) return fail_(what + ": " + disk.error().message());
  const std::vector<std::string> candidates{registered.manifest};
  const auto restored = restore_snapshot(disk->get(), storage, candidates);
  if (!restored) return fail_(what + " cannot be restored: " + restored.error().message());
  StateHead head;
  auto state = load_state(disk->get(), plan.tables(), &head);
  if (!state) return fail_(what + " cannot be read: " + state.error().message());
  compare(registered, plan, head, *state, reads);
}

// Every key of the key partition, those without rows as well, at the largest time below its V.
void SimSnapshots::compare(const Registered& registered, const Plan& plan, const StateHead& head,
                           const PartitionState& state, SimReads* reads) {
  std::vector<uint64_t> below;
  TimeUs as_of = head.horizon;
  for (const SourcePosition& position : head.offsets) {
    below.push_back(position.offset);
    as_of = std::max(as_of, position.max_event_time);
  }
  below.resize(plan.source_partitions());
  for (const SimView& view : kSimViews) {
    const ViewSpec* spec = plan.view(view.name);
    const TableSchema& table = (*plan.tables())[spec->table];
    for (const auto& [key, events] : reads->rows_by_key(view)) {
      const uint64_t hash = hash_entity_key(key, table.entity_seed);
      if (key_partition_of(hash, plan.key_partitions()) != registered.key_partition) continue;
      const FoldRows rows = rows_of_view(view, events, below);
      for (const FeatureSpec& feature : spec->features) {
        std::vector<FeatureValue> values;
        std::vector<DurationUs> resolutions;
        std::vector<TimeUs> since;
        const std::vector<const FeatureSpec*> one{&feature};
        const bool found =
            state.compute(feature.table, key, hash, one, as_of, &values, &resolutions, &since);
        // A key may have rows of another view of the same entity only.
        reads->check_feature(view.name + ("." + feature.name),
                             {to_json(values[0], feature.type), resolutions[0],
                              found && !rows.empty() ? "PRESENT" : "NOT_FOUND",
                              since[0] == kMinTime ? json() : json(since[0])},
                             view, rows, as_of - view.offset,
                             "snapshot " + registered.manifest + " " + key + " ");
      }
      ++keys_compared_;
    }
  }
}

void SimSnapshots::check_all(const Plan& plan, SimReads* reads) {
  for (const Registered& registered : list_registered(plan.key_partitions())) {
    check(registered, plan, reads);
  }
  if (verified_ == 0) fail_("there are no snapshots at the end");
}

void SimSnapshots::add_counts(std::map<std::string, uint64_t>* counts) const {
  (*counts)["snapshots_verified_at_end"] = verified_;
  (*counts)["snapshots_damaged_at_end"] = damaged_;
  (*counts)["snapshot_keys_compared"] = keys_compared_;
}

}  // namespace tidemill::test
