#include "shared/window/leaf_bytes.h"

#include <algorithm>

namespace tidemill {
namespace {

constexpr uint64_t kNumbersBytes = 300;  // of sums of ordinary numbers
constexpr uint64_t kTextBytes = 16;
constexpr uint64_t kCountedBytes = 64;  // of a value that is counted, beside its text
constexpr uint64_t kBucketBytes = 16;
constexpr uint64_t kCellBytes = 8;

uint64_t text_bytes(ColumnType type) {
  return storage_of(type) == Storage::kStrings ? kTextBytes : 0;
}

// Of a function without `by`.
uint64_t function_bytes(const FeatureSpec& feature, uint64_t row, uint64_t text) {
  switch (feature.function) {
    case Function::kFirst:
    case Function::kLast:
      return row;
    case Function::kFirstN:
    case Function::kLastN:
    case Function::kFirstDistinctN:
    case Function::kLastDistinctN:
    case Function::kTopK:
    case Function::kBottomK:
      return row * feature.n;
    case Function::kCountDistinct:
      return kCellBytes * feature.n;
    case Function::kApproxCountDistinct:
      return uint64_t{1} << feature.n;
    case Function::kApproxPercentile:
      return kBucketBytes * feature.bound;
    case Function::kHistogram:
    case Function::kTopKByFrequency:
    case Function::kBottomKByFrequency:
      return (kCountedBytes + text) * feature.bound;
    default:
      return kNumbersBytes;
  }
}

}  // namespace

uint64_t largest_leaf_bytes(const std::vector<ColumnType>& columns,
                            const std::vector<FeatureSpec>& features) {
  uint64_t row = kCellBytes;
  for (const ColumnType type : columns) row += kCellBytes + text_bytes(type);
  // Windows of one function share what a leaf holds.
  std::vector<std::pair<FeatureSpec, uint64_t>> known;
  uint64_t out = 0;
  for (const FeatureSpec& feature : features) {
    const auto same = [&](const auto& other) {
      const FeatureSpec& f = other.first;
      return f.function == feature.function && f.column == feature.column &&
             f.filter == feature.filter && f.n == feature.n && f.bound == feature.bound &&
             f.relative_accuracy == feature.relative_accuracy && f.by == feature.by &&
             f.max_groups == feature.max_groups && f.half_life == feature.half_life;
    };
    if (std::any_of(known.begin(), known.end(), same)) continue;
    const auto type_at = [&](int32_t column) {
      return column < 0 ? ColumnType::kInt64 : columns[static_cast<size_t>(column)];
    };
    uint64_t bytes = function_bytes(feature, row, text_bytes(type_at(feature.column)));
    if (feature.by >= 0) {
      bytes = (bytes + kCountedBytes + text_bytes(type_at(feature.by))) * feature.max_groups;
    }
    known.emplace_back(feature, bytes);
    out += bytes;
  }
  return out;
}

}  // namespace tidemill
