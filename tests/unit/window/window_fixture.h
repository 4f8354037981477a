// What the window tests share: a schema with a column of every type, random rows of many shapes
// from a seed, and ways to put rows into a PartitionState.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "tests/unit/window/reference.h"

namespace tidemill::testing {

inline constexpr TimeUs kStart = 1'522'540'800'000'000;  // 2018-04-01

// Columns of table 0, in order; it has two filters.
enum TestColumn : int32_t { kAmount, kCount64, kCount32, kFlag, kName, kStamp };

inline constexpr int kFunctions = 29;

TableSchema every_type_schema(DurationUs retention);
TableSchema one_double_schema(DurationUs retention);  // table 1: a double, no filters
TableSchemas test_schemas(DurationUs retention = 400 * kMicrosPerDay);

using Random = std::mt19937_64;

struct RowShape {
  int times = 0;   // 0 seconds, 1 milliseconds with ties, 2 microseconds, 3 the ends of int64
  int values = 0;  // 0 cents, 1 any double, 2 a few special ones
  int nulls_percent = 0;
  int late_percent = 0;
};
std::vector<Row> random_rows(size_t count, const RowShape& shape, const TableSchema& schema,
                             Random* random);
double any_double(Random* random);

struct KeyedRow {
  std::string key;
  uint64_t hash = 0;
  Row row;
};
std::vector<KeyedRow> keyed(const std::vector<Row>& rows, const std::string& key,
                            const TableSchema& schema);
std::vector<uint8_t> encode_block(uint16_t table, const TableSchema& schema,
                                  std::span<const KeyedRow> rows);
// Appends as one block.
void append_rows(PartitionState* state, uint16_t table, const TableSchema& schema,
                 std::span<const KeyedRow> rows, uint64_t version = 1);

// Whether `by` goes with it: its value is neither list nor map.
bool may_be_grouped(Function function);

// `count` random features over the schema, some of them grouped.
std::vector<FeatureSpec> random_features(size_t count, const TableSchema& schema,
                                         DurationUs longest, Random* random);
// The same with lifetime windows.
std::vector<FeatureSpec> random_lifetime_features(size_t count, const TableSchema& schema,
                                                  Random* random);
// Every function × column × closed × filter over the windows and offsets, and some of each function
// and column grouped. The schema is every_type_schema().
std::vector<FeatureSpec> all_features(const TableSchema& schema,
                                      const std::vector<DurationUs>& windows,
                                      const std::vector<DurationUs>& offsets);

std::vector<FeatureValue> compute(const PartitionState& state, uint16_t table,
                                  const std::string& key, uint64_t hash,
                                  const std::vector<FeatureSpec>& features, TimeUs as_of,
                                  bool* found = nullptr);
std::string describe(const FeatureSpec& feature);
// Empty, or the first feature whose values differ.
std::string difference(const std::vector<FeatureSpec>& features,
                       const std::vector<FeatureValue>& expected,
                       const std::vector<FeatureValue>& actual);
std::vector<FeatureValue> reference_all(const std::vector<Row>& rows, const TableSchema& schema,
                                        const std::vector<FeatureSpec>& features, TimeUs as_of);

// All keys' images, sorted.
std::vector<std::vector<uint8_t>> images(const PartitionState& state);
// A fresh state with the same keys, from their images.
PartitionState restarted(const PartitionState& state, const TableSchemas& schemas);

}  // namespace tidemill::testing
