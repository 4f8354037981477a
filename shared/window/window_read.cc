#include "shared/window/window_read.h"

#include <algorithm>

#include "shared/base/assert.h"
#include "shared/window/decay.h"
#include "shared/window/nested_features.h"

namespace tidemill {

// A lifetime window has what is older in the summary of its key.
TimeUs complete_from(const LogContext& context, const FeatureSpec& feature, TimeUs as_of) {
  if (feature.lifetime || context.all_since == kMinTime) return kMinTime;
  if (saturating_subtract(as_of, feature.reach) >= context.all_since) return kMinTime;
  return saturating_add(context.all_since, feature.reach);
}

void WindowReader::read(const LogContext& context, const RowLog* log,
                        std::span<const FeatureSpec* const> features, TimeUs as_of,
                        InputRegistry* registry, std::vector<FeatureValue>* out,
                        std::vector<DurationUs>* resolutions) {
  context_ = &context;
  layout_ = &context.layout;
  leaves_ = context.leaves;
  folded_ = log == nullptr ? nullptr : log->folded();
  stats_ = context.stats;
  counted_.begin(context, log);
  sessions_.begin(context, log, &counted_, as_of);
  plan(features, as_of, registry);
  if (log != nullptr) summarise(*log, context.base);
  collections_.begin(context, log, &counted_, registry);
  out->clear();
  for (size_t i = 0; i < features.size(); ++i) {
    out->push_back(value_of(*features[i], i));
    const FeatureValue& otherwise = features[i]->otherwise;
    if (!is_null(otherwise) && is_null(out->back())) out->back() = otherwise;
    if (is_of_nested(*features[i])) write_nested_as_json(*features[i], &out->back());
  }
  if (resolutions == nullptr) return;
  resolutions->clear();
  for (const WindowReadBounds& bounds : bounds_) resolutions->push_back(bounds.resolution);
}

FeatureValue WindowReader::value_of(const FeatureSpec& feature, size_t number) {
  if (reads_collection(feature)) return collect(feature, bounds_[number]);
  const ColumnType type =
      feature.column < 0 ? ColumnType::kInt64 : layout_->type(static_cast<size_t>(feature.column));
  const Aggregate& over = aggregates_[aggregate_of_[number]];
  const Wide end = over.end - (includes_end(feature) ? 1 : 0);
  return feature_value(feature, type, over.summary, end);
}

void WindowReader::summarise(const RowLog& log, const BasePlan* base) {
  cut_segments();
  for (size_t s = 0; s < segments_.size(); ++s) {
    if (!segments_[s].empty) read_segment(s, log);
  }
  for (Aggregate& aggregate : aggregates_) {
    for (size_t s = aggregate.first_segment; s < aggregate.end_segment; ++s) {
      aggregate.summary.merge(partials_[s * inputs_.size() + aggregate.input], aggregate.families);
    }
    if (!aggregate.lifetime || log.base() == nullptr) continue;
    const size_t at = base->numbers_of(inputs_[aggregate.input].what);
    aggregate.summary.merge(log.base()->numbers(at), aggregate.families);
  }
}

FeatureValue WindowReader::collect(const FeatureSpec& feature, const WindowReadBounds& bounds) {
  ASSERT(feature.column < static_cast<int32_t>(layout_->columns()));
  ASSERT(feature.filter < static_cast<int32_t>(layout_->filters()));
  ASSERT(feature.by < static_cast<int32_t>(layout_->columns()));
  const Wide first = std::max<Wide>(bounds.rows.begin, kMinTime);
  const Wide last = std::min<Wide>(bounds.rows.end - 1, kMaxTime);
  const Wide end = bounds.window.end - (includes_end(feature) ? 1 : 0);
  if (first > last) return collections_.value(feature, nullptr, end);
  const TimeRange range{static_cast<TimeUs>(first), static_cast<TimeUs>(last)};
  return collections_.value(feature, &range, end);
}

size_t WindowReader::input_of(const FeatureSpec& feature, bool held, InputRegistry* registry) {
  ASSERT(feature.column < static_cast<int32_t>(layout_->columns()));
  ASSERT(feature.filter < static_cast<int32_t>(layout_->filters()));
  const SummaryInput what = summary_input_of(feature);
  for (size_t i = 0; held && i < inputs_.size(); ++i) {
    if (inputs_[i].what == what && inputs_[i].alone == nullptr) return i;
  }
  inputs_.push_back({registry->number_of(what), what, held ? nullptr : &feature});
  return inputs_.size() - 1;
}

WindowReadBounds WindowReader::bounds_of(const FeatureSpec& feature, TimeUs as_of) {
  WindowReadBounds out;
  if (feature.gap > 0) {
    out = sessions_.bounds(feature);
  } else {
    out.window = out.rows = window_bounds(feature, as_of);
  }
  if (feature.half_life > 0) {
    const Wide end = out.window.end - (includes_end(feature) ? 1 : 0);
    const Wide oldest = end - kMostHalfLives * feature.half_life;
    if (out.window.begin < oldest) {
      out.window.begin = std::min(out.window.end, oldest);
      out.rows.begin = std::min(out.rows.end, oldest);
    }
  }
  leave_out_missing(feature, as_of, &out.rows);
  if (folded_ != nullptr) {
    folded_->snap(leaves_->bound, &out.rows, &out.resolution);
    out.held = folded_->hold(feature, out.rows);
    if (!out.held) {
      out.resolution = std::max(out.resolution, DurationUs{1} << leaves_->bound.tile_shift);
    }
  }
  return out;
}

// Rows before some that are missing do not count: copies may have others of them.
void WindowReader::leave_out_missing(const FeatureSpec& feature, TimeUs as_of,
                                     WindowBounds* rows) const {
  if (complete_from(*context_, feature, as_of) == kMinTime) return;
  rows->begin = std::max<Wide>(rows->begin, context_->all_since);
  rows->end = std::max(rows->begin, rows->end);
}

void WindowReader::plan(std::span<const FeatureSpec* const> features, TimeUs as_of,
                        InputRegistry* registry) {
  inputs_.clear();
  aggregates_.clear();
  aggregate_of_.clear();
  bounds_.clear();
  for (const FeatureSpec* feature : features) {
    bounds_.push_back(bounds_of(*feature, as_of));
    if (reads_collection(*feature)) {
      aggregate_of_.push_back(SIZE_MAX);
      continue;
    }
    const size_t input = input_of(*feature, bounds_.back().held, registry);
    const WindowBounds& rows = bounds_.back().rows;
    const Wide end = bounds_.back().window.end;
    size_t a = 0;
    const auto same = [&](const Aggregate& other) {
      return other.input == input && other.rows.begin == rows.begin && other.rows.end == rows.end &&
             other.end == end && other.lifetime == feature->lifetime;
    };
    while (a < aggregates_.size() && !same(aggregates_[a])) ++a;
    if (a == aggregates_.size()) {
      aggregates_.push_back({input, rows, end, feature->lifetime, 0, 0, 0, {}});
    }
    aggregates_[a].families |= families_of(*feature);
    aggregate_of_.push_back(a);
  }
}

void WindowReader::cut_segments() {
  cuts_.clear();
  for (const Aggregate& a : aggregates_) {
    // The ends of empty windows were not moved off leaves, and would cut those of others.
    if (a.rows.begin >= a.rows.end) continue;
    cuts_.push_back(a.rows.begin);
    cuts_.push_back(a.rows.end);
  }
  std::sort(cuts_.begin(), cuts_.end());
  cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
  segments_.clear();
  for (size_t i = 0; i + 1 < cuts_.size(); ++i) {
    const Wide first = std::max<Wide>(cuts_[i], kMinTime);
    const Wide last = std::min<Wide>(cuts_[i + 1] - 1, kMaxTime);
    const bool empty = first > last;
    segments_.push_back(
        {empty ? 0 : static_cast<TimeUs>(first), empty ? 0 : static_cast<TimeUs>(last), empty});
  }
  needs_.assign(segments_.size() * inputs_.size(), 0);
  partials_.clear();
  partials_.resize(needs_.size());
  for (Aggregate& a : aggregates_) {
    const auto index_of = [&](Wide cut) {
      return static_cast<size_t>(std::lower_bound(cuts_.begin(), cuts_.end(), cut) - cuts_.begin());
    };
    a.first_segment = index_of(a.rows.begin);
    a.end_segment = index_of(a.rows.end);
    for (size_t s = a.first_segment; s < a.end_segment; ++s) {
      needs_[s * inputs_.size() + a.input] |= a.families;
    }
  }
}

void WindowReader::read_segment(size_t number, const RowLog& log) {
  const Families* needs = &needs_[number * inputs_.size()];
  if (std::all_of(needs, needs + inputs_.size(), [](Families f) { return f == 0; })) return;
  const Segment& segment = segments_[number];
  if (log.tail() != nullptr) read_rows(*log.tail(), counted_.of_tail(), segment, number);
  if (folded_ != nullptr) read_folded(*folded_, segment, number);
  if (log.sealed() == nullptr) return;
  const auto& groups = log.sealed()->groups;
  auto group = std::lower_bound(groups.begin(), groups.end(), segment.first,
                                [](const auto& g, TimeUs t) { return g->last() < t; });
  for (; group != groups.end() && (*group)->first() <= segment.last; ++group) {
    read_group(**group, segment, number);
  }
}

// No leaf reaches over the ends of a segment, as those of windows were moved off them.
void WindowReader::read_folded(const FoldedTiles& tiles, const Segment& segment, size_t number) {
  const FoldContext context{*layout_, &stats_->bytes};
  const size_t row = number * inputs_.size();
  const auto add = [&](const LeafPlan& plan, const BaseSummary& summary) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Families f = needs_[row + i];
      const Input& input = inputs_[i];
      if (f == 0 || (input.alone != nullptr && !plan.holds(*input.alone))) continue;
      partials_[row + i].merge(summary.numbers(plan.parts.numbers_of(input.what)), f);
    }
  };
  tiles.each_summary(context, segment.first, segment.last, add);
}

void WindowReader::read_group(const ChunkGroup& group, const Segment& segment, size_t number) {
  const size_t row = number * inputs_.size();
  if (segment.first <= group.first() && group.last() <= segment.last &&
      counted_.steady(group.first(), group.last())) {
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (const Families f = needs_[row + i]) {
        partials_[row + i].merge(group_summary(group, inputs_[i], f), f);
      }
    }
    return;
  }
  auto sealed = std::lower_bound(group.chunks.begin(), group.chunks.end(), segment.first,
                                 [](const SealedChunk& c, TimeUs t) { return c.last < t; });
  for (; sealed != group.chunks.end() && sealed->first <= segment.last; ++sealed) {
    if (sealed->first < segment.first || sealed->last > segment.last ||
        !counted_.steady(sealed->first, sealed->last)) {
      read_rows(*sealed->chunk, counted_.of(*sealed), segment, number);
      continue;
    }
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (const Families f = needs_[row + i]) {
        partials_[row + i].merge(chunk_summary(*sealed, inputs_[i], f), f);
      }
    }
  }
}

void WindowReader::read_rows(const Chunk& chunk, uint64_t counted, const Segment& segment,
                             size_t number) {
  const uint64_t mask = counted & ChunkLayout::time_mask(chunk, segment.first, segment.last);
  if (mask == 0) return;
  const size_t row = number * inputs_.size();
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (const Families f = needs_[row + i]) {
      accumulate(*layout_, chunk, mask, inputs_[i].what, f, &partials_[row + i]);
    }
  }
}

Summary* WindowReader::cached(SummaryCache* cache, uint32_t number) {
  if (cache->size() <= number) {
    stats_->bytes -= cache->capacity() * sizeof(Summary);
    cache->reserve(number + 1);
    cache->resize(number + 1);
    stats_->bytes += cache->capacity() * sizeof(Summary);
  }
  return &(*cache)[number];
}

const Summary& WindowReader::chunk_summary(const SealedChunk& sealed, const Input& input,
                                           Families families) {
  Summary* const summary = cached(&sealed.cache, input.number);
  const auto missing = static_cast<Families>(families & ~summary->have);
  if (missing != 0) {
    stats_->bytes -= summary->heap_bytes();
    accumulate(*layout_, *sealed.chunk, all_rows(*sealed.chunk) & counted_.of(sealed), input.what,
               missing, summary);
    stats_->bytes += summary->heap_bytes();
  }
  return *summary;
}

const Summary& WindowReader::group_summary(const ChunkGroup& group, const Input& input,
                                           Families families) {
  Summary* const summary = cached(&group.cache, input.number);
  const auto missing = static_cast<Families>(families & ~summary->have);
  if (missing != 0) {
    stats_->bytes -= summary->heap_bytes();
    for (const SealedChunk& sealed : group.chunks) {
      summary->merge(chunk_summary(sealed, input, missing), missing);
    }
    stats_->bytes += summary->heap_bytes();
  }
  return *summary;
}

}  // namespace tidemill
