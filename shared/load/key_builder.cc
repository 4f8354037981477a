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

void build_keys(std::span<const Column* const> parts, const std::vector<ColumnType>& types,
                std::vector<std::string_view>* keys, std::string* bytes,
                std::vector<uint8_t>* has_key) {
  const size_t n = has_key->size();
  keys->resize(n);
  for (const Column* part : parts) {
    for (size_t i = 0; i < n; ++i) (*has_key)[i] &= part->nulls[i] == 0;
  }
  if (is_plain_string_key(types)) {
    for (size_t i = 0; i < n; ++i) (*keys)[i] = parts[0]->strings[i];
    return;
  }
  bytes->clear();
  std::vector<size_t> ends(n);
  for (uint32_t i = 0; i < n; ++i) {
    for (const Column* part : parts) append_part(*part, i, bytes);
    ends[i] = bytes->size();
  }
  size_t begin = 0;
  for (size_t i = 0; i < n; ++i) {
    (*keys)[i] = std::string_view(*bytes).substr(begin, ends[i] - begin);
    begin = ends[i];
  }
}

}  // namespace tidemill
