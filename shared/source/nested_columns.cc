#include "shared/source/nested_columns.h"

#include "shared/base/json_text.h"
#include "shared/base/utf8.h"
#include "shared/nested/proto_type.h"
#include "shared/source/batch_writer.h"
#include "shared/source/values.h"

namespace tidemill {

NestedColumns::NestedColumns(const proto::Source& source) {
  for (const proto::Field& field : source.schema()) {
    names_.push_back(field.name());
    types_.push_back(nested_type_of(field));
  }
}

std::string NestedColumns::set(size_t column, std::string_view json, BatchWriter* writer) {
  if (!is_valid_utf8(json) || !is_valid_json(json)) {
    return words(column, {"", std::string(json), &types_[column], ""});
  }
  std::string_view value;
  const auto fault = parser_.parse(types_[column], json, &value);
  if (fault.has_value()) return words(column, *fault);
  writer->set_string(column, writer->keep(value));
  return {};
}

std::string NestedColumns::put(size_t column, std::string_view value, BatchWriter* writer) {
  if (value.size() > kMaxNestedBytes) {
    return words(column, {"", "", nullptr,
                          "it takes " + std::to_string(value.size()) + " bytes, and may take " +
                              std::to_string(kMaxNestedBytes)});
  }
  writer->set_string(column, writer->keep(value));
  return {};
}

std::string NestedColumns::words(size_t column, const NestedFault& fault) const {
  const std::string name = names_[column] + fault.path;
  if (fault.wanted == nullptr) return "column '" + name + "': " + fault.why;
  proto::Field field;
  field.set_name(name);
  field.set_type(static_cast<proto::ColumnType>(fault.wanted->kind));
  field.mutable_details()->set_precision(fault.wanted->precision);
  field.mutable_details()->set_scale(fault.wanted->scale);
  return bad_value(field, fault.found);
}

}  // namespace tidemill
