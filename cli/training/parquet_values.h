// Feature values on their way into Parquet: computed out of order, as bytes, and then column by
// column.
//
// A value's bytes: u8 0 for null, else 1 and the value: a number as 8 bytes, a bool as one, text as
// u32 size and bytes; a list as u32 count and its values; a map as u32 count and, for each entry,
// its key, and its value as one that may be null.
#pragma once

#include <string>
#include <string_view>

#include "proto/plan.pb.h"
#include "shared/nested/nested_json.h"
#include "shared/parquet/parquet_file.h"
#include "shared/window/feature_value.h"

namespace tidemill::training {

void append_bytes(const FeatureValue& value, std::string* out);

ParquetField parquet_field(const std::string& name, const proto::Feature& feature);

// Gathers the values of one column. Bytes are as append_bytes() wrote them, of this very type.
class ParquetColumn {
 public:
  explicit ParquetColumn(ParquetField field);

  const ParquetField& field() const { return field_; }
  // The value at the front of `bytes`, which then begin behind it.
  void add_bytes(std::string_view* bytes);
  void add(const Column& from, size_t row);
  void add_text(std::string_view text, bool is_null);
  // Values so far; text in them stays until clear().
  const ParquetValues& values() const { return values_; }
  void clear();

 private:
  void add_item(std::string_view* bytes, Column* column);
  void add_nullable(std::string_view* bytes, Column* column);
  std::string_view keep(std::string_view text) { return made_.copy(text); }
  std::string_view keep_bytes(std::string_view text);
  std::string_view keep_value(std::string_view text, const Column& column);

  ParquetField field_;
  ParquetValues values_;
  NestedJsonParser parser_;
  Arena made_;
};

}  // namespace tidemill::training
