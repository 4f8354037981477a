// RowSink: where the rows of a training set go, in the spine's order. The output appears under its
// name whole, in finish(), or not at all.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/window/partition_state.h"

namespace tidemill::training {

class RowSink {
 public:
  virtual ~RowSink() = default;

  // Appends values of neighbouring columns to `out`, as write() takes them; `features` are what
  // they are of. thread-safe
  virtual void encode(std::span<const FeatureSpec* const> features,
                      std::span<const FeatureValue> values, std::string* out) const = 0;

  // First of all: the spine's header as it is there, and the columns that are new.
  virtual Status begin(std::string_view spine_header, const std::vector<std::string>& columns) = 0;
  // A row as it is in the spine, and its values, encoded in one piece or several.
  virtual Status write(std::string_view record, std::span<const std::string_view> values) = 0;
  virtual Status finish() = 0;
};

// Values as the store's JSON has them, lists as JSON arrays, nulls as empty fields; an empty string
// is in quotes. The file is written beside `path` and renamed in the end.
Result<std::unique_ptr<RowSink>> open_csv_sink(const std::string& path);

}  // namespace tidemill::training
