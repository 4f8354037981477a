#include "serving/feature_read.h"

#include <algorithm>

#include "serving/entity_keys.h"
#include "shared/base/hash.h"
#include "shared/plan/entity_key.h"

namespace tidemill {
namespace {

// What a shard computes in one turn, at most: others' messages get theirs in between.
constexpr size_t kKeysPerRequest = 512;
constexpr size_t kValuesPerRequest = 65'536;

// A map has a key and a value for each of its entries.
size_t values_of(const FeatureSpec& spec) {
  if (spec.by >= 0) return size_t{2} * spec.max_groups;
  if (spec.map) return 2 * std::max(spec.n == 0 ? spec.bound : spec.n, 1u);
  return spec.list ? std::max(spec.n, 1u) : 1;
}

template <typename Scalar>
size_t text_bytes_of_scalar(const Scalar& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? 0 : text->size();
}

size_t text_bytes_of(const FeatureValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  size_t bytes = 0;
  if (const auto* list = std::get_if<ListValue>(&value)) {
    for (const ScalarValue& element : *list) bytes += text_bytes_of_scalar(element);
  }
  if (const auto* map = std::get_if<MapValue>(&value)) {
    for (const auto& [key, of_key] : map->entries) {
      bytes += text_bytes_of_scalar(key) + text_bytes_of_scalar(of_key);
    }
  }
  return bytes;
}

FeatureStatus to_status(ReadAnswer::Status status) {
  switch (status) {
    case ReadAnswer::Status::kPresent:
      return FeatureStatus::kPresent;
    case ReadAnswer::Status::kNotFound:
      return FeatureStatus::kNotFound;
    case ReadAnswer::Status::kNotReady:
      break;
  }
  return FeatureStatus::kNotReady;
}

}  // namespace

Status FeatureRead::add_feature(const ViewSpec& view, const FeatureSpec& spec, std::string name,
                                const ReadLimits& limits) {
  if (response.results.size() >= kMaxFeatureNames) {
    return user_error("features: at most " + std::to_string(kMaxFeatureNames) +
                      " in one request, patterns expanded");
  }
  auto group =
      std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.view == &view; });
  const bool is_new = group == groups.end();
  values += rows * values_of(spec);
  if (is_new && offsets) values += rows * plan->source_partitions();
  if (values > limits.values) {
    return user_error(
        "features: at most " + std::to_string(limits.values) +
        " values in one request: rows times features, where a list counts as the longest that it "
        "may be, and offsets as one value per source partition for each row of a view; split the "
        "request, or raise the store's max-request-values");
  }
  if (is_new) group = groups.insert(groups.end(), Group{&view, {}, {}, {}});
  group->specs.push_back(&spec);
  group->columns.push_back(response.results.size());
  FeatureColumn& column = response.results.emplace_back();
  column.name = std::move(name);
  column.type = spec.type;
  column.values.resize(rows);
  column.statuses.resize(rows, FeatureStatus::kNotReady);
  column.freshness_ms.resize(rows);
  column.resolution_us.resize(rows);
  column.complete_since_us.resize(rows);
  return {};
}

Status FeatureRead::add_keys(Group* group, const std::vector<const EntityColumn*>& columns) {
  const TableSchema& schema = (*plan->tables())[group->view->table];
  group->keys.reserve(rows);
  for (uint32_t row = 0; row < rows; ++row) {
    auto key = encode_entity_key(*group->view, schema.key_types, columns, row);
    if (!key) return key.error();
    const uint64_t hash = hash_entity_key(*key, schema.entity_seed);
    const KeyPartitionId k(key_partition_of(hash, plan->key_partitions()));
    group->keys.push_back({row, k, hash, std::move(key).value()});
  }
  if (offsets) {
    if (!response.offsets) response.offsets.emplace();
    ViewOffsets& view = response.offsets->emplace_back();
    view.view = group->view->name;
    view.rows.resize(rows);
  }
  return {};
}

FeatureRead::Pieces FeatureRead::requests(uint64_t id, uint16_t shards) const {
  Pieces out;
  for (uint32_t g = 0; g < groups.size(); ++g) {
    size_t of_key = offsets ? plan->source_partitions() : 0;
    for (const FeatureSpec* spec : groups[g].specs) of_key += values_of(*spec);
    const size_t keys =
        std::clamp<size_t>(kValuesPerRequest / std::max<size_t>(of_key, 1), 1, kKeysPerRequest);
    std::vector<uint16_t> tables;
    for (const FeatureSpec* spec : groups[g].specs) {
      if (std::find(tables.begin(), tables.end(), spec->table) == tables.end()) {
        tables.push_back(spec->table);
      }
    }
    std::map<uint16_t, ReadRequest*> open;
    for (const ReadRequest::Key& key : groups[g].keys) {
      const uint16_t shard = store_shard_of(key.key_partition, shards);
      ReadRequest*& request = open[shard];
      if (request == nullptr || request->keys.size() == keys) {
        request = out[shard].emplace_back(std::make_unique<ReadRequest>()).get();
        request->request = id;
        request->group = g;
        request->job = job;
        request->features = groups[g].specs;
        request->tables = tables;
        request->plan = plan;
        request->as_of = response.as_of;
        request->offsets = offsets;
      }
      request->keys.push_back(key);
    }
  }
  return out;
}

void FeatureRead::take(ReadAnswer found) {
  const Group& group = groups[found.group];
  for (ReadAnswer::Key& key : found.keys) {
    if (key.status == ReadAnswer::Status::kNotReady) continue;  // as it is initially
    for (size_t i = 0; i < group.columns.size(); ++i) {
      FeatureColumn& column = response.results[group.columns[i]];
      text_bytes += text_bytes_of(key.values[i]);
      column.values[key.row] = std::move(key.values[i]);
      column.statuses[key.row] = to_status(key.status);
      column.freshness_ms[key.row] = key.freshness_ms;
      column.resolution_us[key.row] = key.resolutions.empty() ? 0 : key.resolutions[i];
      const bool fills = !key.complete_since.empty() && key.complete_since[i] != kMinTime;
      if (fills) column.complete_since_us[key.row] = key.complete_since[i];
    }
    if (response.offsets) {
      RowOffsets row{key.key_partition.value, key.epoch.value, key.version, {}};
      for (const SourcePosition& p : key.offset_vector) {
        row.offset_vector.push_back({p.offset, p.max_event_time});
      }
      (*response.offsets)[found.group].rows[key.row] = std::move(row);
    }
  }
}

Status FeatureRead::check_text(const ReadLimits& limits) const {
  if (text_bytes / kTextBytesPerValue <= limits.values) return {};
  return user_error("features: the strings that these rows hold are longer than " +
                    std::to_string(limits.values * kTextBytesPerValue) +
                    " bytes, the most that one answer may have (" +
                    std::to_string(kTextBytesPerValue) +
                    " for each of max-request-values); split the request, or raise the store's "
                    "max-request-values");
}

void FeatureRead::forget() {
  text_bytes = 0;
  for (FeatureColumn& column : response.results) {
    std::fill(column.statuses.begin(), column.statuses.end(), FeatureStatus::kNotReady);
    std::fill(column.values.begin(), column.values.end(), FeatureValue());
    std::fill(column.freshness_ms.begin(), column.freshness_ms.end(), std::nullopt);
    std::fill(column.resolution_us.begin(), column.resolution_us.end(), std::nullopt);
    std::fill(column.complete_since_us.begin(), column.complete_since_us.end(), std::nullopt);
  }
  if (!response.offsets) return;
  for (ViewOffsets& view : *response.offsets) {
    std::fill(view.rows.begin(), view.rows.end(), std::nullopt);
  }
}

}  // namespace tidemill
