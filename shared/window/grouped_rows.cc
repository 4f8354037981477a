#include "shared/window/grouped_rows.h"

#include "shared/window/scalar_values.h"

namespace tidemill {

bool GroupedRows::lacks_value(const RowRef& row) const {
  const auto column = static_cast<uint32_t>(spec_->column);
  return (layout_->valid_bits(*row.chunk, column) >> row.row & 1) == 0;
}

bool GroupedRows::better(const RowRef& a, const RowRef& b) const {
  if (lacks_value(a) != lacks_value(b)) return lacks_value(b);
  const int order = compare_in_order(*layout_, a, b, spec_->order);
  return spec_->latest_first() ? order > 0 : order < 0;
}

void GroupedRows::add(const Chunk& chunk, uint64_t mask) {
  const auto by = static_cast<uint32_t>(spec_->by);
  each_row(mask, [&](uint32_t i) {
    const RowRef row{&chunk, i};
    const size_t place = groups_.find_or_add(value_key(*layout_, row, by), [&] { return row; });
    if (place == groups_.kRefused) return;
    RowRef& kept = groups_.at(place).kept;
    if (better(row, kept)) kept = row;
  });
  groups_.make_room();
}

void GroupedRows::finish() { groups_.finish(); }

std::vector<RowRef> GroupedRows::rows() const {
  std::vector<RowRef> out;
  out.reserve(groups_.entries().size());
  for (const auto& group : groups_.entries()) out.push_back(group.kept);
  return out;
}

FeatureValue GroupedRows::value() const {
  if (groups_.entries().empty()) return std::monostate();
  const ColumnType key_type = layout_->type(static_cast<size_t>(spec_->by));
  MapValue out;
  for (const auto* group : groups_.by_value(spec_->max_groups)) {
    NullableScalar value;
    if (!lacks_value(group->kept)) {
      value = nullable(scalar_at(*layout_, group->kept, static_cast<uint32_t>(spec_->column)));
    }
    out.entries.emplace_back(scalar_of_key(key_type, group->key()), std::move(value));
  }
  out.truncated = groups_.entries().size() > spec_->max_groups;
  return out;
}

}  // namespace tidemill
