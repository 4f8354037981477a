#include "shared/window/base_summary.h"

#include <algorithm>
#include <bit>

#include "shared/base/assert.h"
#include "shared/window/decay.h"
#include "shared/window/distinct_hashes.h"
#include "shared/window/grouped_rows.h"
#include "shared/window/leaf_plan.h"
#include "shared/window/row_stream.h"

namespace tidemill {
namespace {

constexpr uint32_t kSlackRows = 16;  // kept beyond the needed ones without trimming

template <typename T>
T* with_input(std::vector<T>* all, const SummaryInput& input) {
  const auto found =
      std::find_if(all->begin(), all->end(), [&](const T& t) { return t.input == input; });
  if (found != all->end()) return &*found;
  all->push_back({input, {}});
  return &all->back();
}

template <typename T>
size_t index_of(const std::vector<T>& all, const SummaryInput& input) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const T& t) { return t.input == input; });
  ASSERT(found != all.end());
  return static_cast<size_t>(found - all.begin());
}

bool same_but_families(const CollectionSpec& a, CollectionSpec b) {
  b.families = a.families;
  return a == b;
}

void add_sketch(const CollectionSpec& spec, std::vector<CollectionSpec>* sketches) {
  for (CollectionSpec& sketch : *sketches) {
    if (!same_but_families(sketch, spec)) continue;
    sketch.families |= spec.families;
    return;
  }
  sketches->push_back(spec);
}

void add_list(const CollectionSpec& spec, std::vector<CollectionSpec>* lists) {
  for (CollectionSpec& list : *lists) {
    CollectionSpec same = spec;
    same.n = list.n;
    if (list != same) continue;
    list.n = std::max(list.n, spec.n);
    return;
  }
  lists->push_back(spec);
}

// The greatest or least of rows that are in canonical order, ties by that order.
std::vector<RowRef> extreme_rows(const ChunkLayout& layout, const CollectionSpec& spec,
                                 const std::vector<RowRef>& rows) {
  std::vector<RowRef> out;
  for (const RowRef& row : rows) {
    const uint64_t mask = input_rows(layout, *row.chunk, spec);
    if ((mask >> row.row & 1) != 0) out.push_back(row);
  }
  const bool least = spec.kind == CollectionKind::kLeast;
  const auto column = static_cast<uint32_t>(spec.column);
  std::stable_sort(out.begin(), out.end(), [&](const RowRef& a, const RowRef& b) {
    const int order = layout.compare_values(a, b, column);
    return least ? order < 0 : order > 0;
  });
  if (out.size() > spec.n) out.resize(spec.n);
  return out;
}

std::vector<RowRef> grouped_rows(const ChunkLayout& layout, const CollectionSpec& spec,
                                 const std::vector<RowRef>& rows) {
  GroupedRows groups(&layout, &spec);
  for (const RowRef& row : rows) {
    groups.add(*row.chunk, input_rows(layout, *row.chunk, spec) & uint64_t{1} << row.row);
  }
  groups.finish();
  return groups.rows();
}

std::vector<RowRef> list_rows(const ChunkLayout& layout, const CollectionSpec& spec,
                              const std::vector<RowRef>& rows) {
  if (spec.grouped()) return grouped_rows(layout, spec, rows);
  if (!spec.by_time()) return extreme_rows(layout, spec, rows);
  RowStream stream;
  ValueSet seen;
  std::vector<RowRef> run, out;
  seen.reset(&layout, static_cast<uint32_t>(spec.column));
  stream.begin(&layout, &spec, {});
  stream.add_list(rows);
  take_rows(&stream, spec, &seen, &run, &out);
  return out;
}

// Merges rising hashes, none of them in the set, into a rising set of at most n + 1.
void merge_hashes(std::span<const uint64_t> fresh, uint32_t n, std::vector<uint64_t>* set) {
  const size_t most = static_cast<size_t>(n) + 1;
  std::vector<uint64_t> merged(set->size() + fresh.size());
  std::merge(set->begin(), set->end(), fresh.begin(), fresh.end(), merged.begin());
  if (merged.size() > most) merged.resize(most);
  *set = std::move(merged);
}

// Likewise, of hashes some of which may be in the set.
void add_hashes(std::span<const uint64_t> hashes, uint32_t n, std::vector<uint64_t>* set) {
  std::vector<uint64_t> fresh;
  std::set_difference(hashes.begin(), hashes.end(), set->begin(), set->end(),
                      std::back_inserter(fresh));
  if (!fresh.empty()) merge_hashes(fresh, n, set);
}

// Merges what is new among the rows' hashes into a rising set of at most n + 1.
void fold_hashes(const ChunkLayout& layout, const BasePlan::Hashes& plan, const ChunkRows& rows,
                 std::vector<uint64_t>* set) {
  uint64_t fresh[kChunkRows];
  size_t count = 0;
  const size_t most = static_cast<size_t>(plan.n) + 1;
  const auto column = static_cast<uint32_t>(plan.input.column);
  const uint64_t mask =
      rows.mask & input_rows(layout, *rows.chunk, plan.input.column, plan.input.filter);
  each_row(mask, [&](uint32_t i) {
    const uint64_t hash = value_hash(layout, {rows.chunk, i}, column);
    if (set->size() == most && hash > set->back()) return;
    if (!std::binary_search(set->begin(), set->end(), hash)) fresh[count++] = hash;
  });
  if (count == 0) return;
  std::sort(fresh, fresh + count);
  count = static_cast<size_t>(std::unique(fresh, fresh + count) - fresh);
  merge_hashes({fresh, count}, plan.n, set);
}

void fold_sketch(const ChunkLayout& layout, const CollectionSpec& spec, const ChunkRows& rows,
                 Sketch* sketch) {
  const uint64_t mask = rows.mask & input_rows(layout, *rows.chunk, spec);
  sketch->add_rows(layout, *rows.chunk, mask, static_cast<uint32_t>(spec.column));
}

}  // namespace

BasePlan::BasePlan(const TableSchema& schema) : BasePlan(schema, schema.lifetime) {
  if (schema.bound != nullptr) leaves = std::make_shared<const LeafPlan>(schema);
}

BasePlan::BasePlan(const TableSchema& schema, const std::vector<FeatureSpec>& features) {
  for (const FeatureSpec& feature : features) {
    ASSERT(feature.column < static_cast<int32_t>(schema.columns.size()));
    ASSERT(feature.filter < static_cast<int32_t>(schema.filters));
    ASSERT(feature.by < static_cast<int32_t>(schema.columns.size()));
    const SummaryInput input = summary_input_of(feature);
    if (!reads_collection(feature)) {
      with_input(&numbers, input)->families |= families_of(feature);
      continue;
    }
    const CollectionSpec spec = collection_of(feature);
    if (spec.key_column() < 0) continue;
    if (spec.is_sketch()) {
      add_sketch(spec, &sketches);
    } else if (spec.kind == CollectionKind::kHashes) {
      uint32_t& n = with_input(&hashes, input)->n;
      n = std::max(n, spec.n);
    } else {
      add_list(spec, &lists);
    }
  }
}

bool BasePlan::holds(const SummaryInput& input, Families families) const {
  return std::any_of(numbers.begin(), numbers.end(), [&](const Numbers& n) {
    return n.input == input && (families & ~n.families) == 0;
  });
}

bool BasePlan::holds(const CollectionSpec& spec) const {
  if (spec.key_column() < 0) return true;
  if (spec.is_sketch()) {
    return std::any_of(sketches.begin(), sketches.end(), [&](const CollectionSpec& s) {
      return same_but_families(s, spec) && (spec.families & ~s.families) == 0;
    });
  }
  if (spec.kind == CollectionKind::kHashes) {
    const SummaryInput input{spec.column, spec.filter};
    return std::any_of(hashes.begin(), hashes.end(),
                       [&](const Hashes& h) { return h.input == input && spec.n <= h.n; });
  }
  return std::any_of(lists.begin(), lists.end(), [&](const CollectionSpec& list) {
    CollectionSpec same = spec;
    same.n = list.n;
    return list == same && spec.n <= list.n;
  });
}

size_t BasePlan::numbers_of(const SummaryInput& input) const { return index_of(numbers, input); }

size_t BasePlan::hashes_of(const SummaryInput& input) const { return index_of(hashes, input); }

size_t BasePlan::sketch_of(const CollectionSpec& spec) const {
  const auto found = std::find_if(sketches.begin(), sketches.end(), [&](const CollectionSpec& s) {
    return same_but_families(s, spec);
  });
  ASSERT(found != sketches.end());
  return static_cast<size_t>(found - sketches.begin());
}

// A row is in the answer for several lists, and equal rows are as good as one another: of equal
// rows as many are needed as the list that needs most of them.
std::vector<RowRef> needed_rows(const BasePlan& plan, const ChunkLayout& layout,
                                std::vector<RowRef> rows) {
  const auto before = [&](const RowRef& a, const RowRef& b) { return layout.compare(a, b) < 0; };
  std::sort(rows.begin(), rows.end(), before);
  std::vector<uint32_t> needed(rows.size(), 0);  // by the first of equal rows
  std::vector<uint32_t> of_list(rows.size());
  for (const CollectionSpec& list : plan.lists) {
    std::fill(of_list.begin(), of_list.end(), 0);
    for (const RowRef& row : list_rows(layout, list, rows)) {
      const auto first = std::lower_bound(rows.begin(), rows.end(), row, before);
      const auto at = static_cast<size_t>(first - rows.begin());
      needed[at] = std::max(needed[at], ++of_list[at]);
    }
  }
  std::vector<RowRef> out;
  for (size_t i = 0; i < rows.size(); ++i) {
    for (uint32_t copy = 0; copy < needed[i]; ++copy) out.push_back(rows[i + copy]);
  }
  return out;
}

BaseSummary::BaseSummary(const BasePlan& plan)
    : numbers_(plan.numbers.size()), hashes_(plan.hashes.size()) {
  sketches_.reserve(plan.sketches.size());
  for (const CollectionSpec& spec : plan.sketches) sketches_.emplace_back(spec);
}

uint64_t BaseSummary::bytes() const {
  uint64_t out = sizeof(BaseSummary) + numbers_.capacity() * sizeof(Summary) +
                 hashes_.capacity() * sizeof(std::vector<uint64_t>) +
                 sketches_.capacity() * sizeof(Sketch) + kept_.capacity() * sizeof(void*);
  for (const Summary& summary : numbers_) out += summary.heap_bytes();
  for (const auto& set : hashes_) out += set.capacity() * sizeof(uint64_t);
  for (const Sketch& sketch : sketches_) out += sketch.heap_bytes();
  return out;
}

void BaseSummary::spread(const BasePlan& plan, DurationUs apart, StateBytes* bytes) {
  const auto is_lost = [&](DurationUs half_life) {
    return !decay_apart(half_life, apart_) && decay_apart(half_life, apart);
  };
  *bytes -= this->bytes();
  for (size_t i = 0; i < numbers_.size(); ++i) {
    if (is_lost(plan.numbers[i].input.half_life)) numbers_[i] = Summary();
  }
  for (size_t i = 0; i < sketches_.size(); ++i) {
    if (is_lost(plan.sketches[i].half_life)) sketches_[i] = Sketch(plan.sketches[i]);
  }
  *bytes += this->bytes();
  apart_ = apart;
}

void BaseSummary::fold(const BasePlan& plan, const ChunkLayout& layout, const ChunkRows& rows,
                       StateBytes* bytes) {
  *bytes -= this->bytes();
  for (size_t i = 0; i < numbers_.size(); ++i) {
    const BasePlan::Numbers& numbers = plan.numbers[i];
    if (decay_apart(numbers.input.half_life, apart_)) continue;
    accumulate(layout, *rows.chunk, rows.mask, numbers.input, numbers.families, &numbers_[i]);
  }
  for (size_t i = 0; i < hashes_.size(); ++i) {
    fold_hashes(layout, plan.hashes[i], rows, &hashes_[i]);
  }
  for (size_t i = 0; i < sketches_.size(); ++i) {
    if (decay_apart(plan.sketches[i].half_life, apart_)) continue;
    fold_sketch(layout, plan.sketches[i], rows, &sketches_[i]);
  }
  *bytes += this->bytes();
}

void BaseSummary::keep(const BasePlan& plan, const ChunkLayout& layout, Chunk* chunk,
                       StateBytes* bytes) {
  *bytes -= this->bytes();
  kept_.push_back(chunk);
  kept_rows_ += chunk->rows;
  // A multiple of the needed rows may gather, so that a row costs no more when many are needed.
  if (kept_rows_ > needed_rows_ + std::max(needed_rows_, kSlackRows)) trim(plan, layout, bytes);
  *bytes += this->bytes();
}

void BaseSummary::merge(const BasePlan& plan, const ChunkLayout& layout, const BaseSummary& other,
                        const BasePlan& from, StateBytes* bytes) {
  *bytes -= this->bytes();
  for (size_t i = 0; i < numbers_.size(); ++i) {
    const BasePlan::Numbers& numbers = plan.numbers[i];
    if (decay_apart(numbers.input.half_life, apart_)) continue;
    numbers_[i].merge(other.numbers_[from.numbers_of(numbers.input)], numbers.families);
  }
  for (size_t i = 0; i < hashes_.size(); ++i) {
    const BasePlan::Hashes& hashes = plan.hashes[i];
    add_hashes(other.hashes_[from.hashes_of(hashes.input)], hashes.n, &hashes_[i]);
  }
  for (size_t i = 0; i < sketches_.size(); ++i) {
    if (decay_apart(plan.sketches[i].half_life, apart_)) continue;
    sketches_[i].merge(other.sketches_[from.sketch_of(plan.sketches[i])]);
  }
  *bytes += this->bytes();
  if (!plan.lists.empty()) merge_rows(plan, layout, other, bytes);
}

void BaseSummary::merge_rows(const BasePlan& plan, const ChunkLayout& layout,
                             const BaseSummary& other, StateBytes* bytes) {
  std::vector<RowRef> rows;
  other.kept_rows(&rows);
  std::sort(rows.begin(), rows.end(),
            [&](const RowRef& a, const RowRef& b) { return layout.compare(a, b) < 0; });
  for (size_t at = 0; at < rows.size(); at += kChunkRows) {
    const size_t count = std::min<size_t>(kChunkRows, rows.size() - at);
    keep(plan, layout, layout.build(std::span(rows).subspan(at, count), bytes), bytes);
  }
}

void BaseSummary::kept_rows(std::vector<RowRef>* out) const {
  for (const Chunk* chunk : kept_) {
    for (uint32_t i = 0; i < chunk->rows; ++i) out->push_back({chunk, i});
  }
}

void BaseSummary::trim(const BasePlan& plan, const ChunkLayout& layout, StateBytes* bytes) {
  std::vector<RowRef> rows;
  kept_rows(&rows);
  const std::vector<RowRef> needed = needed_rows(plan, layout, std::move(rows));
  std::vector<Chunk*> chunks;
  for (size_t at = 0; at < needed.size(); at += kChunkRows) {
    const size_t count = std::min<size_t>(kChunkRows, needed.size() - at);
    chunks.push_back(layout.build(std::span(needed).subspan(at, count), bytes));
  }
  for (Chunk* chunk : kept_) ChunkLayout::free(chunk, bytes);
  kept_ = std::move(chunks);
  kept_rows_ = needed_rows_ = static_cast<uint32_t>(needed.size());
}

void BaseSummary::clear(StateBytes* bytes) {
  for (Chunk* chunk : kept_) ChunkLayout::free(chunk, bytes);
  kept_.clear();
}

void encode_base(const BasePlan& plan, const ChunkLayout& layout, const BaseSummary* base,
                 std::span<const ChunkRows> rows, std::span<const LeafSummary> leaves,
                 ByteWriter* out) {
  const bool any = base != nullptr || !rows.empty() || !leaves.empty();
  out->put<uint8_t>(any ? 1 : 0);
  if (!any) return;
  for (size_t i = 0; i < plan.numbers.size(); ++i) {
    const auto& [input, families] = plan.numbers[i];
    Summary summary;
    if (base != nullptr) summary.merge(base->numbers(i), families);
    for (const ChunkRows& r : rows) {
      accumulate(layout, *r.chunk, r.mask, input, families, &summary);
    }
    for (const auto& [parts, leaf] : leaves) {
      summary.merge(leaf->numbers(parts->numbers_of(input)), families);
    }
    encode_summary(summary, families, out);
  }
  for (size_t i = 0; i < plan.hashes.size(); ++i) {
    std::vector<uint64_t> set;
    if (base != nullptr) set.assign(base->hashes(i).begin(), base->hashes(i).end());
    for (const ChunkRows& r : rows) fold_hashes(layout, plan.hashes[i], r, &set);
    for (const auto& [parts, leaf] : leaves) {
      add_hashes(leaf->hashes(parts->hashes_of(plan.hashes[i].input)), plan.hashes[i].n, &set);
    }
    encode_hashes(set, out);
  }
  for (size_t i = 0; i < plan.sketches.size(); ++i) {
    const CollectionSpec& spec = plan.sketches[i];
    Sketch sketch(spec);
    if (base != nullptr) sketch.merge(base->sketch(i));
    for (const ChunkRows& r : rows) fold_sketch(layout, spec, r, &sketch);
    for (const auto& [parts, leaf] : leaves) sketch.merge(leaf->sketch(parts->sketch_of(spec)));
    sketch.finish();
    sketch.encode(layout.type(static_cast<size_t>(spec.key_column())), out);
  }
  if (plan.lists.empty()) return;
  std::vector<RowRef> kept;
  if (base != nullptr) base->kept_rows(&kept);
  for (const LeafSummary& leaf : leaves) leaf.summary->kept_rows(&kept);
  for (const ChunkRows& r : rows) {
    each_row(r.mask, [&](uint32_t i) { kept.push_back({r.chunk, i}); });
  }
  encode_rows(layout, needed_rows(plan, layout, std::move(kept)), out);
}

bool BaseImage::decode(const BasePlan& plan, const TableSchema& schema, ByteReader* in) {
  const auto has_base = in->get<uint8_t>();
  any = has_base == 1;
  if (has_base > 1 || !in->ok()) return false;
  if (!any) return true;
  numbers.resize(plan.numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!decode_summary(in, plan.numbers[i].families, &numbers[i])) return false;
  }
  hashes.resize(plan.hashes.size());
  for (size_t i = 0; i < hashes.size(); ++i) {
    if (!decode_hashes(in, plan.hashes[i].n, &hashes[i])) return false;
  }
  for (const CollectionSpec& spec : plan.sketches) {
    sketches.emplace_back(spec);
    const ColumnType type = schema.columns[static_cast<size_t>(spec.key_column())];
    if (!sketches.back().decode(type, in)) return false;
  }
  return plan.lists.empty() ? in->ok() : rows.decode(schema, in).ok();
}

bool BaseImage::decays_between(const BasePlan& plan, TimeUs first, TimeUs last) const {
  for (size_t i = 0; i < numbers.size(); ++i) {
    const DurationUs half_life = plan.numbers[i].input.half_life;
    if (!tidemill::decays_between(numbers[i], half_life, first, last)) return false;
  }
  return std::all_of(sketches.begin(), sketches.end(),
                     [&](const Sketch& sketch) { return sketch.decays_between(first, last); });
}

BaseSummary BaseImage::restore(const BasePlan& plan, const ChunkLayout& layout, StateBytes* bytes) {
  BaseSummary out(plan);
  out.numbers_ = std::move(numbers);
  out.hashes_ = std::move(hashes);
  out.sketches_ = std::move(sketches);
  for (auto& set : out.hashes_) set.shrink_to_fit();
  for (uint32_t r = 0; r < rows.rows(); ++r) {
    if (out.kept_.empty() || out.kept_.back()->rows == kChunkRows ||
        layout.heavy(*out.kept_.back())) {
      out.kept_.push_back(nullptr);
    }
    layout.push(&out.kept_.back(), rows.row(r), bytes);
  }
  out.kept_rows_ = out.needed_rows_ = rows.rows();
  return out;
}

}  // namespace tidemill
