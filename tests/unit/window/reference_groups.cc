#include "tests/unit/window/reference_groups.h"

#include <algorithm>
#include <map>

#include "tests/unit/window/reference_sketches.h"

namespace tidemill::testing {
namespace {

using Groups = std::map<Cell, RowPointers, decltype(&cell_below)>;

bool counts(const Row& row, const FeatureSpec& feature, const ReferenceWindow& window) {
  if (!window.holds(row.time)) return false;
  const __int128 age = window.end() - row.time;
  if (feature.half_life > 0 && age > static_cast<__int128>(64) * feature.half_life) return false;
  if (feature.filter >= 0 && !row.filters[static_cast<size_t>(feature.filter)]) return false;
  return !std::holds_alternative<std::monostate>(row.cells[static_cast<size_t>(feature.by)]);
}

Groups groups_of(const RowPointers& rows, const FeatureSpec& feature,
                 const ReferenceWindow& window) {
  Groups out(&cell_below);
  for (const Row* row : rows) {
    if (counts(*row, feature, window)) {
      out[row->cells[static_cast<size_t>(feature.by)]].push_back(row);
    }
  }
  return out;
}

NullableScalar entry_of(const FeatureValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* b = std::get_if<bool>(&value)) return *b;
  if (const auto* s = std::get_if<std::string>(&value)) return *s;
  return std::monostate();
}

}  // namespace

FeatureValue reference_groups(const RowPointers& rows, const TableSchema& schema,
                              const FeatureSpec& feature, const ReferenceWindow& window) {
  const Groups groups = groups_of(rows, feature, window);
  if (groups.empty()) return std::monostate();
  MapValue out;
  out.truncated = groups.size() > feature.max_groups;
  std::vector<uint64_t> hashes;
  for (const auto& [key, of_key] : groups) hashes.push_back(hash_of_cell(key));
  std::sort(hashes.begin(), hashes.end());
  const uint64_t greatest = hashes[std::min<size_t>(hashes.size(), feature.max_groups) - 1];
  FeatureSpec alone = feature;
  alone.by = -1;
  alone.map = false;
  for (const auto& [key, of_key] : groups) {
    if (hash_of_cell(key) > greatest) continue;
    out.entries.emplace_back(scalar_of(key),
                             entry_of(reference_over(of_key, schema, alone, window)));
  }
  return out;
}

}  // namespace tidemill::testing
