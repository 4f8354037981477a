#include "shared/window/sketch.h"

#include <algorithm>

#include "shared/window/scalar_values.h"

namespace tidemill {
namespace {

using Entry = ValueCounts::Entry;

std::variant<ValueCounts, HyperLogLog, PercentileSketch, ValueGroups> empty_of(
    const CollectionSpec& spec) {
  if (spec.grouped()) return ValueGroups(spec);
  if (spec.kind == CollectionKind::kCounts) return ValueCounts(spec.n);
  if (spec.kind == CollectionKind::kRegisters) return HyperLogLog(spec.n);
  return PercentileSketch(spec.per_octave, spec.n);
}

// The first of the entries in the feature's order: a histogram's by value.
std::vector<const Entry*> chosen(const FeatureSpec& feature, const std::vector<Entry>& entries) {
  std::vector<const Entry*> out;
  for (const Entry& entry : entries) out.push_back(&entry);
  const Function function = feature.function;
  const auto before = [&](const Entry* a, const Entry* b) {
    if (function != Function::kHistogram && a->kept != b->kept) {
      return (a->kept > b->kept) == (function == Function::kTopKByFrequency);
    }
    return value_below(a->key(), b->key());
  };
  const size_t most = function == Function::kHistogram ? out.size() : feature.n;
  const auto end = out.begin() + static_cast<ptrdiff_t>(std::min(most, out.size()));
  std::partial_sort(out.begin(), end, out.end(), before);
  out.erase(end, out.end());
  return out;
}

FeatureValue counts_value(const FeatureSpec& feature, ColumnType type, const ValueCounts& counts) {
  if (counts.entries().empty()) return std::monostate();
  const std::vector<const Entry*> entries = chosen(feature, counts.entries());
  if (feature.map) {
    MapValue map;
    map.truncated = counts.truncated();
    for (const Entry* entry : entries) {
      map.entries.emplace_back(scalar_of_key(type, entry->key()),
                               static_cast<int64_t>(entry->kept));
    }
    return map;
  }
  ListValue list;
  list.truncated = counts.truncated();
  for (const Entry* entry : entries) list.push_back(scalar_of_key(type, entry->key()));
  return list;
}

}  // namespace

Sketch::Sketch(const CollectionSpec& spec) : of_(empty_of(spec)) {}

void Sketch::add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                      uint32_t column) {
  std::visit([&](auto& sketch) { sketch.add_rows(layout, chunk, mask, column); }, of_);
}

void Sketch::merge(const Sketch& other) {
  std::visit(
      [&](auto& sketch) { sketch.merge(std::get<std::decay_t<decltype(sketch)>>(other.of_)); },
      of_);
}

void Sketch::finish() {
  std::visit([](auto& sketch) { sketch.finish(); }, of_);
}

bool Sketch::decays_between(TimeUs first, TimeUs last) const {
  const auto* groups = std::get_if<ValueGroups>(&of_);
  return groups == nullptr || groups->decays_between(first, last);
}

FeatureValue Sketch::value(const FeatureSpec& feature, const ChunkLayout& layout,
                           __int128 end) const {
  const ColumnType type =
      feature.column < 0 ? ColumnType::kInt64 : layout.type(static_cast<size_t>(feature.column));
  if (const auto* groups = std::get_if<ValueGroups>(&of_)) {
    return groups->value(feature, type, layout.type(static_cast<size_t>(feature.by)), end);
  }
  if (const auto* counts = std::get_if<ValueCounts>(&of_)) {
    return counts_value(feature, type, *counts);
  }
  if (const auto* registers = std::get_if<HyperLogLog>(&of_)) return registers->count();
  const auto& sketch = std::get<PercentileSketch>(of_);
  if (sketch.count() == 0) return std::monostate();
  return sketch.at(feature.percentile);
}

size_t Sketch::size() const {
  return std::visit([](const auto& sketch) { return sketch.size(); }, of_);
}

size_t Sketch::heap_bytes() const {
  return std::visit([](const auto& sketch) { return sketch.heap_bytes(); }, of_);
}

void Sketch::encode(ColumnType type, ByteWriter* out) const {
  if (const auto* counts = std::get_if<ValueCounts>(&of_)) return counts->encode(type, out);
  if (const auto* groups = std::get_if<ValueGroups>(&of_)) return groups->encode(type, out);
  if (const auto* registers = std::get_if<HyperLogLog>(&of_)) return registers->encode(out);
  std::get<PercentileSketch>(of_).encode(out);
}

bool Sketch::decode(ColumnType type, ByteReader* in) {
  if (auto* counts = std::get_if<ValueCounts>(&of_)) return counts->decode(type, in);
  if (auto* groups = std::get_if<ValueGroups>(&of_)) return groups->decode(type, in);
  if (auto* registers = std::get_if<HyperLogLog>(&of_)) return registers->decode(in);
  return std::get<PercentileSketch>(of_).decode(in);
}

}  // namespace tidemill
