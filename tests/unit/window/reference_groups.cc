#include "tests/unit/window/reference_groups.h"

#include <algorithm>

#include "tests/unit/window/reference_sketches.h"

namespace tidemill::testing {
namespace {

struct Group {
  Cell key;
  std::vector<Row> rows;
};

bool counts(const Row& row, const FeatureSpec& feature, const ReferenceWindow& window) {
  if (!window.holds(row.time)) return false;
  const __int128 age = window.end() - row.time;
  if (feature.half_life > 0 && age > static_cast<__int128>(64) * feature.half_life) return false;
  if (feature.filter >= 0 && !row.filters[static_cast<size_t>(feature.filter)]) return false;
  return !std::holds_alternative<std::monostate>(row.cells[static_cast<size_t>(feature.by)]);
}

// By rising key.
std::vector<Group> groups_of(const std::vector<Row>& rows, const FeatureSpec& feature,
                             const ReferenceWindow& window) {
  std::vector<Group> out;
  for (const Row& row : rows) {
    if (!counts(row, feature, window)) continue;
    const Cell& key = row.cells[static_cast<size_t>(feature.by)];
    auto at = std::lower_bound(out.begin(), out.end(), key, [](const Group& group, const Cell& k) {
      return cell_below(group.key, k);
    });
    if (at == out.end() || cell_below(key, at->key)) at = out.insert(at, {key, {}});
    at->rows.push_back(row);
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

FeatureValue reference_groups(const std::vector<Row>& rows, const TableSchema& schema,
                              const FeatureSpec& feature, const ReferenceWindow& window) {
  std::vector<Group> groups = groups_of(rows, feature, window);
  if (groups.empty()) return std::monostate();
  MapValue out;
  out.truncated = groups.size() > feature.max_groups;
  std::vector<uint64_t> hashes;
  for (const Group& group : groups) hashes.push_back(hash_of_cell(group.key));
  std::sort(hashes.begin(), hashes.end());
  const uint64_t greatest = hashes[std::min<size_t>(hashes.size(), feature.max_groups) - 1];
  FeatureSpec alone = feature;
  alone.by = -1;
  alone.map = false;
  for (const Group& group : groups) {
    if (hash_of_cell(group.key) > greatest) continue;
    out.entries.emplace_back(scalar_of(group.key),
                             entry_of(reference_over(group.rows, schema, alone, window)));
  }
  return out;
}

}  // namespace tidemill::testing
