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
inline constexpr size_t kSources = 64;
inline constexpr size_t kSchemaColumns = 1024;
inline constexpr uint32_t kSourcePartitions = 4096;  // over all sources of a job
inline constexpr size_t kEntityColumns = 16;
inline constexpr size_t kTables = 256;
inline constexpr size_t kTableColumns = 1024;
inline constexpr size_t kTableFilters = 1024;
inline constexpr size_t kViews = 256;
inline constexpr size_t kAggregations = 1024;  // of a view
inline constexpr size_t kWindows = 64;         // of an aggregation
inline constexpr size_t kFeatures = 4096;      // of a job
inline constexpr size_t kServices = 256;
inline constexpr DurationUs kLongestTime = 36'500 * kMicrosPerDay;  // window + offset, delays
inline constexpr uint64_t kGeneratorIds = uint64_t{1} << 32;        // customers, terminals
inline constexpr double kGeneratorRate = 1e9;                       // events a second
inline constexpr double kReplaySpeed = 1e9;

}  // namespace tidemill::limits
