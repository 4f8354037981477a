// RowSink: where the rows of a training set go, in the spine's order. The output appears under its
// name whole, in finish(), or not at all.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/training/row_source.h"
#include "shared/base/result.h"
#include "shared/window/partition_state.h"

namespace tidemill::training {

// A column of features.
struct FeatureColumn {
  std::string name;
  const proto::Feature* feature = nullptr;
};

class RowSink {
 public:
  virtual ~RowSink() = default;

  // Appends values of neighbouring columns to `out`, as write() takes them; `features` are what
  // they are of. thread-safe
  virtual void encode(std::span<const FeatureSpec* const> features,
                      std::span<const FeatureValue> values, std::string* out) const = 0;

  // First of all: the spine, and the columns that are new. The spine stays open meanwhile.
  virtual Status begin(const RowSource& spine, const std::vector<FeatureColumn>& columns) = 0;
  // Row `row` of `rows`, and its values, encoded in one piece or several. Every row of `rows` is
  // written, in order, before the next ones.
  virtual Status write(const SpineRows& rows, size_t row,
                       std::span<const std::string_view> values) = 0;
  virtual Status finish() = 0;
};

// As the name says: Parquet or CSV.
Result<std::unique_ptr<RowSink>> open_sink(const std::string& path);

// Values as the store's JSON has them, lists as JSON arrays, nulls as empty fields; an empty string
// is in quotes.
Result<std::unique_ptr<RowSink>> open_csv_sink(const std::string& path);
// Columns of a Parquet spine as they are there; of a CSV spine keys and time in their types, others
// as strings. Features in types of their own.
Result<std::unique_ptr<RowSink>> open_parquet_sink(const std::string& path);

}  // namespace tidemill::training
