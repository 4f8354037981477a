// NestedColumns: the columns of a source that are lists, structs or maps, and how their values are
// made of JSON text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/nested/nested_json.h"

namespace tidemill {

class BatchWriter;

class NestedColumns {
 public:
  explicit NestedColumns(const proto::Source& source);

  bool holds(size_t column) const { return is_nested(types_[column].kind); }
  const NestedType& type(size_t column) const { return types_[column]; }

  // Sets a column's value by its JSON text, which is not null. "" or why it is none: "column
  // 'payload.items[3].price': 'x' is not a double; ...".
  std::string set(size_t column, std::string_view json, BatchWriter* writer);
  // The same of a value that is made already.
  std::string put(size_t column, std::string_view value, BatchWriter* writer);

  // Words for a fault in the value of a column.
  std::string words(size_t column, const NestedFault& fault) const;

 private:
  std::vector<std::string> names_;
  std::vector<NestedType> types_;
  NestedJsonParser parser_;
};

}  // namespace tidemill
