#include "shared/window/collection_read.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/window/grouped_rows.h"
#include "shared/window/scalar_values.h"

namespace tidemill {
namespace {

constexpr size_t kCachedGroupChunks = 8;  // smaller groups are read row by row

bool whole(const ChunkGroup& group, const TimeRange& range) {
  return range.first <= group.first() && group.last() <= range.last;
}

uint64_t row_count(const ChunkGroup& group) {
  uint64_t rows = 0;
  for (const SealedChunk& sealed : group.chunks) rows += sealed.chunk->rows;
  return rows;
}

}  // namespace

void CollectionReader::begin(const LogContext& context, const RowLog* log,
                             const CountedRows* counted, InputRegistry* registry) {
  layout_ = &context.layout;
  log_ = log;
  counted_ = counted;
  plan_ = context.base;
  stats_ = context.stats;
  registry_ = registry;
  tail_known_ = false;
  folded_known_ = false;
}

const std::vector<RowRef>& CollectionReader::tail_rows() {
  if (tail_known_) return tail_;
  tail_.clear();
  if (log_->tail() != nullptr) layout_->sort(*log_->tail(), &tail_);
  if (!counted_->all()) {
    std::erase_if(tail_,
                  [&](const RowRef& row) { return (counted_->of_tail() >> row.row & 1) == 0; });
  }
  tail_known_ = true;
  return tail_;
}

const std::vector<RowRef>& CollectionReader::folded_rows() {
  if (folded_known_) return folded_;
  folded_.clear();
  if (log_->base() != nullptr) log_->base()->kept_rows(&folded_);
  std::stable_sort(folded_.begin(), folded_.end(),
                   [](const RowRef& a, const RowRef& b) { return a.time() < b.time(); });
  folded_known_ = true;
  return folded_;
}

// Calls visit(parts, summary) for summaries of the leaves in the range that hold the feature.
template <typename Visit>
void CollectionReader::each_leaves(const TimeRange& range, Visit&& visit) {
  if (log_->folded() == nullptr) return;
  const FoldContext context{*layout_, &stats_->bytes};
  log_->folded()->each_summary(context, range.first, range.last,
                               [&](const LeafPlan& plan, const BaseSummary& summary) {
                                 if (plan.holds(*feature_)) visit(plan.parts, summary);
                               });
}

// The rows that leaves in the range have kept for lists, this one among them.
const std::vector<RowRef>& CollectionReader::leaf_rows(const TimeRange& range) {
  leaf_rows_.clear();
  each_leaves(range,
              [&](const BasePlan&, const BaseSummary& summary) { summary.kept_rows(&leaf_rows_); });
  std::stable_sort(leaf_rows_.begin(), leaf_rows_.end(),
                   [](const RowRef& a, const RowRef& b) { return a.time() < b.time(); });
  return leaf_rows_;
}

FeatureValue CollectionReader::value(const FeatureSpec& feature, const TimeRange* range,
                                     __int128 end) {
  feature_ = &feature;
  const CollectionSpec spec = collection_of(feature);
  const bool counts = !spec.grouped() && (spec.kind == CollectionKind::kHashes ||
                                          spec.kind == CollectionKind::kRegisters);
  if (log_ == nullptr || range == nullptr || spec.key_column() < 0) {
    if (counts) return int64_t{0};
    return std::monostate();
  }
  if (spec.is_sketch()) return sketch_value(feature, spec, *range, end);
  if (spec.grouped()) return grouped_rows_value(spec, *range, feature.lifetime);
  if (counts) return count_hashes(spec, *range, feature.lifetime);
  if (spec.by_time()) {
    take_by_time(spec, *range, feature.lifetime);
  } else {
    take_extremes(spec, *range, feature.lifetime);
  }
  return list_value(feature, spec);
}

FeatureValue CollectionReader::list_value(const FeatureSpec& feature,
                                          const CollectionSpec& spec) const {
  if (rows_.empty()) return std::monostate();
  const auto column = static_cast<uint32_t>(spec.column);
  if (feature.function == Function::kFirst || feature.function == Function::kLast) {
    return as_feature(scalar_at(*layout_, rows_.front(), column));
  }
  ListValue out;
  out.reserve(rows_.size());
  for (const RowRef& row : rows_) out.push_back(scalar_at(*layout_, row, column));
  if (spec.latest_first()) std::reverse(out.begin(), out.end());
  return out;
}

void CollectionReader::take_by_time(const CollectionSpec& spec, const TimeRange& range,
                                    bool lifetime) {
  stream_.begin(layout_, &spec, range);
  stream_.add_list(tail_rows());
  // What was folded lies before every window's end, whatever the range says.
  if (lifetime) stream_.add_list(folded_rows());
  if (log_->folded() != nullptr) stream_.add_list(leaf_rows(range));
  if (log_->sealed() != nullptr) {
    GroupRows group_rows;
    if (spec.distinct()) {
      group_rows = [&](const ChunkGroup& group) {
        const GroupCollection* collection = cached(group, spec);
        return collection == nullptr ? nullptr : &collection->rows;
      };
    }
    stream_.add_groups(log_->sealed()->groups, counted_, std::move(group_rows));
  }
  if (spec.distinct()) seen_.reset(layout_, static_cast<uint32_t>(spec.column));
  take_rows(&stream_, spec, &seen_, &run_, &rows_);
}

// Calls add_group(collection) for what groups in the range have cached, and add_rows(chunk, mask)
// for all other rows.
template <typename AddRows, typename AddGroup>
void CollectionReader::each_part(const CollectionSpec& spec, const TimeRange& range,
                                 AddRows&& add_rows, AddGroup&& add_group) {
  const auto add = [&](const Chunk& chunk, uint64_t counted, bool all) {
    uint64_t mask = counted & input_rows(*layout_, chunk, spec);
    if (!all) mask &= ChunkLayout::time_mask(chunk, range.first, range.last);
    if (mask != 0) add_rows(chunk, mask);
  };
  if (log_->tail() != nullptr) add(*log_->tail(), counted_->of_tail(), false);
  if (log_->sealed() == nullptr) return;
  for (const auto& group : log_->sealed()->groups) {
    if (group->last() < range.first || range.last < group->first()) continue;
    if (whole(*group, range)) {
      if (const GroupCollection* collection = cached(*group, spec)) {
        add_group(*collection);
        continue;
      }
    }
    for (const SealedChunk& sealed : group->chunks) {
      if (sealed.last < range.first || range.last < sealed.first) continue;
      add(*sealed.chunk, counted_->of(sealed),
          range.first <= sealed.first && sealed.last <= range.last);
    }
  }
}

// Calls add_row(row) for the rows kept of those that were folded: in leaves of the range, and with
// a lifetime window in the base.
template <typename AddRow>
void CollectionReader::each_folded(const CollectionSpec& spec, const TimeRange& range,
                                   bool lifetime, AddRow&& add_row) {
  const auto add = [&](const RowRef& row) {
    if ((input_rows(*layout_, *row.chunk, spec) >> row.row & 1) != 0) add_row(row);
  };
  for (const RowRef& row : leaf_rows(range)) add(row);
  if (!lifetime) return;
  for (const RowRef& row : folded_rows()) add(row);
}

void CollectionReader::take_extremes(const CollectionSpec& spec, const TimeRange& range,
                                     bool lifetime) {
  extremes_.reset(layout_, spec);
  const auto add_row = [&](const RowRef& row) {
    extremes_.add(*row.chunk, uint64_t{1} << row.row);
  };
  each_part(
      spec, range, [&](const Chunk& chunk, uint64_t mask) { extremes_.add(chunk, mask); },
      [&](const GroupCollection& group) {
        for (const RowRef& row : group.rows) add_row(row);
      });
  each_folded(spec, range, lifetime, add_row);
  extremes_.finish(&rows_);
}

FeatureValue CollectionReader::grouped_rows_value(const CollectionSpec& spec,
                                                  const TimeRange& range, bool lifetime) {
  GroupedRows groups(layout_, &spec);
  const auto add_row = [&](const RowRef& row) { groups.add(*row.chunk, uint64_t{1} << row.row); };
  each_part(
      spec, range, [&](const Chunk& chunk, uint64_t mask) { groups.add(chunk, mask); },
      [&](const GroupCollection& group) {
        for (const RowRef& row : group.rows) add_row(row);
      });
  each_folded(spec, range, lifetime, add_row);
  groups.finish();
  return groups.value();
}

int64_t CollectionReader::count_hashes(const CollectionSpec& spec, const TimeRange& range,
                                       bool lifetime) {
  hashes_.reset(spec.n);
  const auto column = static_cast<uint32_t>(spec.column);
  each_part(
      spec, range,
      [&](const Chunk& chunk, uint64_t mask) { hashes_.add_rows(*layout_, chunk, mask, column); },
      [&](const GroupCollection& group) {
        for (const uint64_t hash : group.hashes) hashes_.add(hash);
      });
  each_leaves(range, [&](const BasePlan& parts, const BaseSummary& summary) {
    const size_t at = parts.hashes_of({spec.column, spec.filter});
    for (const uint64_t hash : summary.hashes(at)) hashes_.add(hash);
  });
  if (lifetime && log_->base() != nullptr) {
    const size_t at = plan_->hashes_of({spec.column, spec.filter});
    for (const uint64_t hash : log_->base()->hashes(at)) hashes_.add(hash);
  }
  return hashes_.count();
}

FeatureValue CollectionReader::sketch_value(const FeatureSpec& feature, const CollectionSpec& spec,
                                            const TimeRange& range, __int128 end) {
  Sketch sketch(spec);
  const auto column = static_cast<uint32_t>(spec.column);
  each_part(
      spec, range,
      [&](const Chunk& chunk, uint64_t mask) { sketch.add_rows(*layout_, chunk, mask, column); },
      [&](const GroupCollection& group) { sketch.merge(*group.sketch); });
  each_leaves(range, [&](const BasePlan& parts, const BaseSummary& summary) {
    sketch.merge(summary.sketch(parts.sketch_of(spec)));
  });
  if (feature.lifetime && log_->base() != nullptr) {
    sketch.merge(log_->base()->sketch(plan_->sketch_of(spec)));
  }
  sketch.finish();
  return sketch.value(feature, *layout_, end);
}

// What the group contributes; null: its rows are to be read.
const GroupCollection* CollectionReader::cached(const ChunkGroup& group,
                                                const CollectionSpec& spec) {
  if (group.chunks.size() < kCachedGroupChunks || !counted_->steady(group.first(), group.last())) {
    return nullptr;
  }
  const uint32_t number = registry_->number_of(spec);
  CollectionCache& cache = group.collections;
  if (cache == nullptr || cache->size() <= number || !(*cache)[number].known) {
    stats_->bytes -= cache_bytes(cache);
    if (cache == nullptr) cache = std::make_unique<std::vector<GroupCollection>>();
    if (cache->size() <= number) {
      cache->reserve(number + 1);
      cache->resize(number + 1);
    }
    fill(group, spec, &(*cache)[number]);
    stats_->bytes += cache_bytes(cache);
  }
  const GroupCollection& collection = (*cache)[number];
  return collection.rows_instead ? nullptr : &collection;
}

void CollectionReader::fill(const ChunkGroup& group, const CollectionSpec& spec,
                            GroupCollection* out) const {
  const auto column = static_cast<uint32_t>(spec.column);
  std::vector<RowRef> rows;
  std::vector<uint64_t> hashes;
  std::unique_ptr<Sketch> sketch;
  const auto rows_of = [&](const SealedChunk& sealed) {
    return counted_->of(sealed) & input_rows(*layout_, *sealed.chunk, spec);
  };
  if (spec.is_sketch()) {
    sketch = std::make_unique<Sketch>(spec);
    for (const SealedChunk& sealed : group.chunks) {
      sketch->add_rows(*layout_, *sealed.chunk, rows_of(sealed), column);
    }
    sketch->finish();
  } else if (spec.grouped()) {
    GroupedRows groups(layout_, &spec);
    for (const SealedChunk& sealed : group.chunks) {
      groups.add(*sealed.chunk, rows_of(sealed));
    }
    groups.finish();
    rows = groups.rows();
  } else if (spec.by_time()) {
    RowStream stream;
    ValueSet seen;
    std::vector<RowRef> run;
    seen.reset(layout_, column);
    stream.begin(layout_, &spec, {});
    stream.add_group(group, counted_);
    take_rows(&stream, spec, &seen, &run, &rows);
  } else if (spec.kind == CollectionKind::kHashes) {
    DistinctHashes distinct;
    distinct.reset(spec.n);
    for (const SealedChunk& sealed : group.chunks) {
      distinct.add_rows(*layout_, *sealed.chunk, rows_of(sealed), column);
    }
    distinct.finish(&hashes);
  } else {
    ExtremeRows extremes;
    extremes.reset(layout_, spec);
    for (const SealedChunk& sealed : group.chunks) {
      extremes.add(*sealed.chunk, rows_of(sealed));
    }
    extremes.finish(&rows);
  }
  out->known = true;
  const size_t entries = rows.size() + hashes.size() + (sketch == nullptr ? 0 : sketch->size());
  out->rows_instead = entries * 4 > row_count(group);
  if (out->rows_instead) return;
  out->rows.assign(rows.begin(), rows.end());
  out->hashes.assign(hashes.begin(), hashes.end());
  out->sketch = std::move(sketch);
}

}  // namespace tidemill
