#include "shared/load/key_builder.h"

#include "shared/plan/entity_key.h"

namespace tidemill {
namespace {

void append_part(const Column& column, uint32_t row, std::string* out) {
  if (!column.strings.empty()) {
    append_key_string(column.strings[row], out);
  } else if (!column.bools.empty()) {
    append_key_int(column.bools[row], out);
  } else {
    append_key_int(column.ints[row], out);
  }
}

}  // namespace

void build_keys(const EventBatch& events, const std::vector<uint32_t>& fields,
                const std::vector<ColumnType>& types, std::vector<std::string_view>* keys,
                std::string* bytes, std::vector<uint8_t>* keep) {
  const size_t n = events.rows();
  keys->resize(n);
  for (const uint32_t field : fields) {
    const Column& column = events.columns[field];
    for (size_t i = 0; i < n; ++i) (*keep)[i] &= column.nulls[i] == 0;
  }
  if (is_plain_string_key(types)) {
    const Column& column = events.columns[fields[0]];
    for (size_t i = 0; i < n; ++i) (*keys)[i] = column.strings[i];
    return;
  }
  bytes->clear();
  std::vector<size_t> ends(n);
  for (uint32_t i = 0; i < n; ++i) {
    for (const uint32_t field : fields) append_part(events.columns[field], i, bytes);
    ends[i] = bytes->size();
  }
  size_t begin = 0;
  for (size_t i = 0; i < n; ++i) {
    (*keys)[i] = std::string_view(*bytes).substr(begin, ends[i] - begin);
    begin = ends[i];
  }
}

}  // namespace tidemill
