// How large anything in a job can be. Above what anybody needs, below what would hurt a process.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shared/base/time.h"

namespace tidemill::limits {

inline constexpr size_t kYamlBytes = 1u << 20;
inline constexpr size_t kYamlDepth = 16;
inline constexpr size_t kJobErrors = 200;        // reported of one job
inline constexpr size_t kNameBytes = 64;         // of a job, source, view, aggregation, service
inline constexpr size_t kColumnNameBytes = 128;  // of a source's column
inline constexpr uint32_t kKeyPartitions = 4096;
inline constexpr uint32_t kStandbyReplicas = 1;  // of each key partition
inline constexpr size_t kSources = 64;
inline constexpr size_t kSchemaColumns = 1024;
inline constexpr uint32_t kSourcePartitions = 4096;  // over all sources of a job
inline constexpr size_t kEntityColumns = 16;
inline constexpr size_t kTables = 256;
inline constexpr size_t kTableInputs = 16;  // sources of a view
inline constexpr size_t kTableColumns = 1024;
inline constexpr size_t kTableFilters = 1024;
inline constexpr size_t kViews = 256;
inline constexpr uint32_t kViewNumbers = 1u << 16;  // views that a job ever has
inline constexpr size_t kAggregations = 1024;  // of a view
inline constexpr size_t kWindows = 64;         // of an aggregation
inline constexpr size_t kOrderBy = 16;         // columns of a view's order_by
inline constexpr size_t kDeduplicateColumns = 16;  // of a view's deduplicate: the id
inline constexpr uint32_t kListLength = 1000;  // of a feature: n, k
// Of count_distinct: up to how many it is exact.
inline constexpr uint32_t kExactDistinctLeast = 16;
inline constexpr uint32_t kExactDistinctMost = 100'000;
inline constexpr uint32_t kExactDistinctDefault = 10'000;
// Of histogram and *_by_frequency: how many different values are counted.
inline constexpr uint32_t kCountedValuesLeast = 1;
inline constexpr uint32_t kCountedValuesMost = 100'000;
inline constexpr uint32_t kHistogramValuesDefault = 1'000;
inline constexpr uint32_t kRankedValuesDefault = 10'000;
// Of approx_count_distinct: the logarithm of how many registers there are.
inline constexpr uint32_t kPrecisionLeast = 4;
inline constexpr uint32_t kPrecisionMost = 16;
inline constexpr uint32_t kPrecisionDefault = 12;
// Of approx_percentile; accuracies in millionths.
inline constexpr uint32_t kSketchBucketsLeast = 16;
inline constexpr uint32_t kSketchBucketsMost = 16'384;
inline constexpr uint32_t kSketchBucketsDefault = 1'024;
inline constexpr uint32_t kAccuracyLeast = 1'000;
inline constexpr uint32_t kAccuracyMost = 200'000;
inline constexpr uint32_t kAccuracyDefault = 10'000;
// Of `by`: values of its column.
inline constexpr uint32_t kGroupsMost = 10'000;
inline constexpr uint32_t kGroupsDefault = 1'000;
// What one feature may keep for ever of a key, over all its groups.
inline constexpr uint64_t kLifetimeGroupsBytes = uint64_t{128} << 20;
// Of a key in one tile of event time.
inline constexpr uint64_t kMaxRowsLeast = 1'000;
inline constexpr uint64_t kMaxRowsMost = 100'000'000;
inline constexpr uint64_t kMaxRowsDefault = 250'000;
inline constexpr size_t kFeatures = 4096;  // of a job
// Operators, columns and literals of all expressions of a job, counted in every source of a view.
inline constexpr size_t kExpressionParts = 1u << 20;
inline constexpr size_t kServices = 256;
inline constexpr DurationUs kLongestTime = 36'500 * kMicrosPerDay;  // window + offset, delays
inline constexpr uint64_t kGeneratorIds = uint64_t{1} << 32;        // customers, terminals
inline constexpr double kGeneratorRate = 1e9;                       // events a second
inline constexpr double kReplaySpeed = 1e9;
inline constexpr uint32_t kFileHeadBytes = 1024;  // that tell which file it is
inline constexpr size_t kFilePatterns = 256;      // of a source whose files are followed
inline constexpr size_t kBrokersBytes = 4096;     // host:port,host:port,...
inline constexpr size_t kTopicBytes = 249;        // Kafka's own limit
inline constexpr size_t kGroupBytes = 255;
inline constexpr size_t kRegistryUrlBytes = 2048;
inline constexpr size_t kMessageTypeBytes = 1024;  // a full name
inline constexpr size_t kClientSettings = 128;
inline constexpr size_t kClientSettingBytes = 64u << 10;  // of a value: certificates are long

}  // namespace tidemill::limits
