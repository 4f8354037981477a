#include "shared/window/table_schema.h"

#include "shared/base/bytes.h"
#include "shared/base/hash.h"

namespace tidemill {
namespace {

constexpr uint64_t kSchemaHashSeed = 2;

}  // namespace

TimeUs kept_since(const TableSchema& schema, TimeUs horizon) {
  TimeUs out;
  if (__builtin_sub_overflow(horizon, schema.retention, &out)) out = kMinTime;
  return schema.bound == nullptr ? out : schema.bound->first_time(schema.bound->tile_of(out));
}

DurationUs features_reach(const TableSchema& schema) {
  return schema.retention - (schema.deduplication == nullptr ? 0 : schema.deduplication->within);
}

uint64_t schema_hash(const std::vector<TableSchema>& schemas) {
  ByteWriter out;
  for (const TableSchema& schema : schemas) {
    out.put_string(schema.entity);
    out.put(static_cast<uint32_t>(schema.columns.size()));
    for (const ColumnType type : schema.columns) out.put(static_cast<uint8_t>(type));
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

}  // namespace tidemill
