#include "shared/window/value_counts.h"

namespace tidemill {
namespace {

uint64_t none() { return 0; }

}  // namespace

void ValueCounts::add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                           uint32_t column) {
  each_row(mask, [&](uint32_t i) {
    const size_t place = values_.find_or_add(value_key(layout, {&chunk, i}, column), none);
    if (place != values_.kRefused) ++values_.at(place).kept;
  });
  values_.make_room();
}

void ValueCounts::merge(const ValueCounts& other) {
  if (other.truncated()) values_.set_truncated();
  for (const Entry& entry : other.entries()) {
    const size_t place = values_.find_or_add(entry.key(), none);
    if (place != values_.kRefused) values_.at(place).kept += entry.kept;
    values_.make_room();
  }
}

void ValueCounts::encode(ColumnType type, ByteWriter* out) const {
  values_.encode(type, out, [&](uint64_t count) { out->put(count); });
}

bool ValueCounts::decode(ColumnType type, ByteReader* in) {
  return values_.decode(type, in, [&](uint64_t* count) {
    constexpr uint64_t kMost = uint64_t{1} << 62;
    *count = in->get<uint64_t>();
    return *count > 0 && *count <= kMost;
  });
}

}  // namespace tidemill
