#include "shared/window/collection.h"

#include <algorithm>
#include <bit>

#include "shared/base/assert.h"
#include "shared/window/distinct_hashes.h"
#include "shared/window/percentile_sketch.h"
#include "shared/window/scalar_values.h"

namespace tidemill {

bool is_collection(Function function) {
  switch (function) {
    case Function::kFirst:
    case Function::kLast:
    case Function::kFirstN:
    case Function::kLastN:
    case Function::kFirstDistinctN:
    case Function::kLastDistinctN:
    case Function::kCountDistinct:
    case Function::kTopK:
    case Function::kBottomK:
    case Function::kApproxCountDistinct:
    case Function::kApproxPercentile:
    case Function::kTopKByFrequency:
    case Function::kBottomKByFrequency:
    case Function::kHistogram:
      return true;
    default:
      return false;
  }
}

CollectionSpec collection_of(const FeatureSpec& feature) {
  CollectionSpec out;
  out.column = feature.column;
  out.filter = std::max(feature.filter, -1);
  out.n = std::max(feature.n, 1u);
  if (feature.by >= 0) {
    out.by = feature.by;
    out.max_groups = feature.max_groups;
  }
  if (!is_collection(feature.function)) {
    const SummaryInput input = summary_input_of(feature);
    out.kind = CollectionKind::kNumbers;
    out.column = input.column;
    out.n = 1;
    out.families = families_of(feature);
    out.half_life = input.half_life;
    out.ones = input.ones;
    return out;
  }
  switch (feature.function) {
    case Function::kFirst:
      out.n = 1;
      [[fallthrough]];
    case Function::kFirstN:
      out.kind = CollectionKind::kFirst;
      break;
    case Function::kLast:
      out.n = 1;
      [[fallthrough]];
    case Function::kLastN:
      out.kind = CollectionKind::kLast;
      break;
    case Function::kFirstDistinctN:
      out.kind = CollectionKind::kFirstDistinct;
      break;
    case Function::kLastDistinctN:
      out.kind = CollectionKind::kLastDistinct;
      break;
    case Function::kTopK:
      out.kind = CollectionKind::kGreatest;
      break;
    case Function::kBottomK:
      out.kind = CollectionKind::kLeast;
      break;
    case Function::kCountDistinct:
      out.kind = CollectionKind::kHashes;
      break;
    case Function::kApproxCountDistinct:
      out.kind = CollectionKind::kRegisters;
      break;
    case Function::kApproxPercentile:
      out.kind = CollectionKind::kBuckets;
      out.n = feature.bound;
      out.per_octave = buckets_per_octave(feature.relative_accuracy);
      break;
    default:
      ASSERT(feature.function == Function::kHistogram ||
             feature.function == Function::kTopKByFrequency ||
             feature.function == Function::kBottomKByFrequency);
      out.kind = CollectionKind::kCounts;
      out.n = feature.bound;
  }
  if (out.by_time()) out.order = feature.order;
  return out;
}

uint64_t input_rows(const ChunkLayout& layout, const Chunk& chunk, int32_t column, int32_t filter) {
  uint64_t mask = all_rows(chunk);
  if (filter >= 0) mask &= layout.filter_bits(chunk, static_cast<uint32_t>(filter));
  if (column >= 0) mask &= layout.valid_bits(chunk, static_cast<uint32_t>(column));
  return mask;
}

int compare_in_order(const ChunkLayout& layout, const RowRef& a, const RowRef& b,
                     std::span<const uint32_t> order) {
  if (a.time() != b.time()) return a.time() < b.time() ? -1 : 1;
  for (const uint32_t column : order) {
    if (const int found = layout.compare_values(a, b, column)) return found;
  }
  return layout.compare(a, b);
}

ScalarValue scalar_at(const ChunkLayout& layout, const RowRef& row, uint32_t column) {
  const ColumnType type = layout.type(column);
  if (storage_of(type) == Storage::kStrings) {
    return scalar_of_text(type, layout.string_at(*row.chunk, column, row.row));
  }
  return scalar_of_number(type, layout.number_at(*row.chunk, column, row.row));
}

void ValueSet::reset(const ChunkLayout* layout, uint32_t column) {
  layout_ = layout;
  column_ = column;
  rows_.clear();
  hashes_.clear();
  index_.assign(16, 0);
}

bool ValueSet::insert(const RowRef& row) {
  const uint64_t hash = value_hash(*layout_, row, column_);
  const size_t mask = index_.size() - 1;
  size_t i = hash & mask;
  for (; index_[i] != 0; i = (i + 1) & mask) {
    const uint32_t at = index_[i] - 1;
    if (hashes_[at] == hash && layout_->compare_values(rows_[at], row, column_) == 0) return false;
  }
  rows_.push_back(row);
  hashes_.push_back(hash);
  index_[i] = static_cast<uint32_t>(rows_.size());
  if (rows_.size() * 2 > index_.size()) grow();
  return true;
}

void ValueSet::grow() {
  index_.assign(index_.size() * 2, 0);
  const size_t mask = index_.size() - 1;
  for (uint32_t at = 0; at < rows_.size(); ++at) {
    size_t i = hashes_[at] & mask;
    while (index_[i] != 0) i = (i + 1) & mask;
    index_[i] = at + 1;
  }
}

void ExtremeRows::reset(const ChunkLayout* layout, const CollectionSpec& spec) {
  layout_ = layout;
  column_ = static_cast<uint32_t>(spec.column);
  limit_ = spec.n;
  least_ = spec.kind == CollectionKind::kLeast;
  numbers_.clear();
  texts_.clear();
}

void ExtremeRows::add(const Chunk& chunk, uint64_t mask) {
  if (storage_of(layout_->type(column_)) == Storage::kStrings) {
    add_texts(chunk, mask);
  } else {
    add_numbers(chunk, mask);
  }
}

void ExtremeRows::add_numbers(const Chunk& chunk, uint64_t mask) {
  const auto above = [](const Number& a, const Number& b) { return a.key > b.key; };
  const auto add = [&](uint32_t i, int64_t number) {
    const int64_t key = least_ ? ~number : number;
    if (numbers_.size() == limit_) {
      if (key <= numbers_.front().key) return;
      std::pop_heap(numbers_.begin(), numbers_.end(), above);
      numbers_.back() = {key, {&chunk, i}};
    } else {
      numbers_.push_back({key, {&chunk, i}});
    }
    std::push_heap(numbers_.begin(), numbers_.end(), above);
  };
  if (layout_->type(column_) == ColumnType::kDouble) {
    const double* values = layout_->doubles(chunk, column_);
    each_row(mask, [&](uint32_t i) { add(i, order_key(values[i])); });
  } else {
    each_row(mask, [&](uint32_t i) { add(i, layout_->number_at(chunk, column_, i)); });
  }
}

void ExtremeRows::add_texts(const Chunk& chunk, uint64_t mask) {
  const auto above = [&](const Text& a, const Text& b) {
    return least_ ? a.key < b.key : a.key > b.key;
  };
  each_row(mask, [&](uint32_t i) {
    const Text text{layout_->string_at(chunk, column_, i), {&chunk, i}};
    if (texts_.size() == limit_) {
      if (!above(text, texts_.front())) return;
      std::pop_heap(texts_.begin(), texts_.end(), above);
      texts_.back() = text;
    } else {
      texts_.push_back(text);
    }
    std::push_heap(texts_.begin(), texts_.end(), above);
  });
}

void ExtremeRows::finish(std::vector<RowRef>* out) {
  std::sort(numbers_.begin(), numbers_.end(),
            [](const Number& a, const Number& b) { return a.key > b.key; });
  std::sort(texts_.begin(), texts_.end(),
            [&](const Text& a, const Text& b) { return least_ ? a.key < b.key : a.key > b.key; });
  out->clear();
  for (const Number& number : numbers_) out->push_back(number.row);
  for (const Text& text : texts_) out->push_back(text.row);
}

}  // namespace tidemill
