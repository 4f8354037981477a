#include "cli/cost_tables.h"
#include "shared/expr/types.h"

namespace tidemill::cli {
namespace {

using costs::Exactness;
using nlohmann::ordered_json;

// To a thousandth: what is estimated is no better known.
double rounded(double value) {
  return static_cast<double>(static_cast<int64_t>(value * 1000 + 0.5)) / 1000;
}

ordered_json describe(const costs::SourceCost& source) {
  ordered_json out = {{"source", source.name}, {"partitions", nullptr}};
  if (source.partitions.has_value()) out["partitions"] = *source.partitions;
  out["may_grow"] = source.may_grow;
  out["state_bytes_per_event"] = rounded(source.event_bytes);
  return out;
}

// Null if every row counts.
ordered_json deduplication_of(const costs::TableCost& table) {
  if (table.within == 0) return nullptr;
  return {{"by", table.id}, {"within", format_duration(table.within)}, {"within_us", table.within}};
}

// Null if all rows are kept.
ordered_json bound_of(const costs::TableCost& table) {
  if (!table.bound.has_value()) return nullptr;
  return {{"max_rows", table.bound->tile_rows},
          {"default", table.bound->by_default},
          {"tile_us", table.bound->tile},
          {"tiles", table.bound->tiles},
          {"leaves_of_a_full_tile", table.bound->leaves},
          {"bytes_at_most", rounded(table.bytes_of(table.bound->tile_rows * table.bound->tiles))}};
}

ordered_json describe(const costs::TableCost& table) {
  ordered_json columns = ordered_json::array();
  for (const costs::ColumnCost& column : table.columns) {
    columns.push_back(
        {{"column", column.text},
         {"type", proto::ColumnType_Name(static_cast<proto::ColumnType>(column.type))},
         {"bytes_per_row", rounded(column.bytes)}});
  }
  ordered_json bases = ordered_json::array();
  for (const costs::BaseCost& base : table.base) {
    bases.push_back({{"what", base.what},
                     {"bound", base.bound},
                     {"bytes_per_key", rounded(base.bytes)},
                     {"features", base.features}});
  }
  return {{"entity", table.entity},
          {"sources", table.sources},
          {"views", table.views},
          {"columns", std::move(columns)},
          {"conditions", table.conditions},
          {"bytes_per_row", rounded(table.row_bytes)},
          {"bytes_per_row_once_read", rounded(table.row_bytes + table.cached_bytes)},
          {"bytes_per_key", rounded(table.key_bytes)},
          {"bytes_per_key_of_1000_rows", rounded(table.bytes_of(costs::kExampleEvents))},
          {"retention", format_duration(table.retention)},
          {"retention_us", table.retention},
          {"because_of", table.longest},
          {"deduplicate", deduplication_of(table)},
          {"rows_of_a_key", bound_of(table)},
          {"horizon_behind", format_duration(table.behind)},
          {"for_ever", std::move(bases)},
          {"for_ever_bytes_per_key", rounded(table.base_bytes())}};
}

ordered_json describe(const costs::FunctionCost& function) {
  constexpr const char* kExactness[] = {"exact", "exact up to a bound", "approximate"};
  ordered_json bounds = ordered_json::array();
  for (const costs::Bound& bound : function.bounds) {
    bounds.push_back({{"key", bound.key}, {"value", bound.value}, {"default", bound.by_default}});
  }
  const costs::Approximation& approximation = function.approximation;
  ordered_json out = {{"aggregation", function.name},
                      {"function", function.function},
                      {"windows", function.windows},
                      {"bounds", std::move(bounds)},
                      {"value", kExactness[static_cast<size_t>(approximation.exactness)]}};
  if (approximation.exactness == Exactness::kExact) return out;
  if (!approximation.beyond.empty()) out["beyond"] = approximation.beyond;
  out["error"] = approximation.error;
  return out;
}

ordered_json hot_keys(const costs::JobCost& cost) {
  ordered_json entities = ordered_json::array();
  for (const costs::EntityCost& each : cost.entities) {
    entities.push_back({{"entity", each.entity}, {"views", each.views}});
  }
  return {{"split", false},
          {"key_partitions", cost.key_partitions},
          {"owned_whole_by_one_key_partition", std::move(entities)}};
}

template <typename T>
ordered_json list_of(const std::vector<T>& items) {
  ordered_json out = ordered_json::array();
  for (const T& item : items) out.push_back(describe(item));
  return out;
}

}  // namespace

ordered_json cost_json(const costs::JobCost& cost) {
  return {{"estimate",
           "bytes in the memory of each store, by the types of columns: times of 4 "
           "bytes, texts of 16, another one in each row"},
          {"sources", list_of(cost.sources)},
          {"state", list_of(cost.tables)},
          {"functions", list_of(cost.functions)},
          {"hot_keys", hot_keys(cost)}};
}

}  // namespace tidemill::cli
