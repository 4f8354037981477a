// What POST /v1/features asks and answers, apart from how it is written (features_json.h).
// Limits: ReadLimits, kMaxFeatureNames names, kMaxEntityColumns columns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "shared/base/time.h"
#include "shared/window/partition_state.h"

namespace tidemill {

inline constexpr size_t kMaxFeatureNames = 1'000;
inline constexpr size_t kMaxEntityColumns = 32;

// How much one request may ask for. What a value costs while it is found, held and written is some
// 150 bytes (docs/serving.md).
struct ReadLimits {
  size_t rows = 100'000;
  // Rows times features; a list counts as the longest that it may be, and the offsets of a row as
  // one value per source partition and view. Strings may have kTextBytesPerValue for each.
  size_t values = 2'000'000;
};
inline constexpr size_t kTextBytesPerValue = 64;

// A join key's value as sent; the store turns it into the key's declared type.
using FeatureKeyValue = std::variant<int64_t, std::string, bool>;

struct EntityColumn {
  std::string name;
  std::vector<FeatureKeyValue> values;  // one per row
};

struct FeaturesRequest {
  std::string job;
  std::vector<std::string> features;   // "view.feature" or "view.*"; empty if a service is named
  std::string service;                 // empty if features are named
  std::vector<EntityColumn> entities;  // at least one; all equally long, with at least one row
  std::optional<TimeUs> as_of;
  bool offsets = false;

  size_t rows() const { return entities.empty() ? 0 : entities.front().values.size(); }
};

enum class FeatureStatus : uint8_t {
  kPresent,   // the key has rows
  kNotFound,  // it has none: the values are those of empty windows
  kNotReady,  // this replica does not hold the key's partition yet
};

// One feature over all rows: the vectors are equally long.
struct FeatureColumn {
  std::string name;  // "view.feature"
  std::vector<FeatureValue> values;
  std::vector<FeatureStatus> statuses;
  std::vector<std::optional<int64_t>> freshness_ms;   // none: not known, as when not ready
  std::vector<std::optional<int64_t>> resolution_us;  // 0: exact
  // The as_of from which on it is complete; none, or the list is empty: it is at this one.
  std::vector<std::optional<int64_t>> complete_since_us;
  ColumnType type{};                                  // of the values, or of lists' elements
};

// The offset vector that a row's answer was computed from.
struct SourceOffset {
  uint64_t offset = 0;
  TimeUs max_event_time = kMinTime;  // M_s
};

struct RowOffsets {
  uint32_t key_partition = 0;
  uint64_t epoch = 0;
  uint64_t version = 0;
  std::vector<SourceOffset> offset_vector;  // one per source partition
};

struct ViewOffsets {
  std::string view;
  std::vector<std::optional<RowOffsets>> rows;  // none: not ready
};

struct FeaturesResponse {
  std::string job;
  TimeUs as_of = 0;
  std::vector<FeatureColumn> results;
  std::optional<std::vector<ViewOffsets>> offsets;  // only if asked for
};

}  // namespace tidemill
