#include "shared/window/table_schema.h"

#include <span>

#include "shared/base/bytes.h"
#include "shared/base/hash.h"

namespace tidemill {
namespace {

constexpr uint64_t kSchemaHashSeed = 2;

}  // namespace

TimeUs kept_since(const TableSchema& schema, DurationUs retention, TimeUs horizon) {
  TimeUs out;
  if (__builtin_sub_overflow(horizon, retention, &out)) out = kMinTime;
  return schema.bound == nullptr ? out : schema.bound->first_time(schema.bound->tile_of(out));
}

TimeUs kept_since(const TableSchema& schema, TimeUs horizon) {
  return kept_since(schema, schema.retention, horizon);
}

TimeUs tile_end_from(const TableSchema& schema, TimeUs time) {
  if (schema.bound == nullptr || time == kMinTime || time == kMaxTime) return time;
  const int64_t tile = schema.bound->tile_of(time);
  if (schema.bound->first_time(tile) == time) return time;
  return saturating_add(schema.bound->last_time(tile), 1);
}

DurationUs features_reach(const TableSchema& schema) {
  return schema.retention - (schema.deduplication == nullptr ? 0 : schema.deduplication->within);
}

namespace {

uint64_t hash_of(std::span<const TableSchema> schemas) {
  ByteWriter out;
  for (const TableSchema& schema : schemas) {
    out.put_string(schema.entity);
    out.put(static_cast<uint32_t>(schema.columns.size()));
    for (const ColumnType type : schema.columns) out.put(static_cast<uint8_t>(type));
    for (const uint8_t scale : schema.scales) out.put(scale);
    out.put(schema.filters);
    out.put(static_cast<uint32_t>(schema.lifetime.size()));
    for (const FeatureSpec& feature : schema.lifetime) {  // they decide what bases hold
      out.put(static_cast<uint8_t>(feature.function));
      out.put(feature.column);
      out.put(feature.filter);
      out.put(feature.n);
      out.put(feature.bound);
      out.put(feature.relative_accuracy);
      out.put(static_cast<uint32_t>(feature.order.size()));
      for (const uint32_t column : feature.order) out.put(column);
      if (feature.by < 0) continue;
      out.put(feature.by);
      out.put(feature.max_groups);
    }
    if (schema.bound != nullptr) out.put(static_cast<int32_t>(schema.bound->tile_shift));
  }
  const auto bytes = out.take();
  return hash_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kSchemaHashSeed);
}

}  // namespace

uint64_t schema_hash(const std::vector<TableSchema>& schemas) { return hash_of(schemas); }

bool reads_states_of(const std::vector<TableSchema>& schemas, uint64_t hash) {
  for (size_t tables = schemas.size();; --tables) {
    if (hash_of(std::span(schemas).first(tables)) == hash) return true;
    if (tables == 0 || !schemas[tables - 1].further) return false;
  }
}

}  // namespace tidemill
