#include "shared/window/partition_state.h"

#include <algorithm>
#include <array>

#include "shared/base/assert.h"
#include "shared/base/mutation.h"
#include "shared/window/block_list.h"
#include "shared/window/image.h"
#include "shared/window/key_table.h"
#include "shared/window/window_read.h"

namespace tidemill {
namespace {

constexpr size_t kSweepSlots = 64;  // looked at per raise_horizon(), or one per row appended
// Rounds of the sweep while the horizon rises by the shortest retention. A quarter of the rows of
// keys that get no more may be waiting for it; keys that do are freed of theirs on the way.
constexpr double kRoundsPerRetention = 4;
constexpr uint32_t kStage = 64;  // rows whose memory is fetched ahead together

constexpr uint64_t kLoadFilterBits = 1 << 16;

uint64_t load_bit(uint16_t table, uint64_t hash) {
  return KeyTable::mix(table, hash) / (UINT64_MAX / kLoadFilterBits + 1);
}

// The filter bits of the rows of a block, row by row.
class FilterWords {
 public:
  FilterWords(const RowBlockView& block)
      : block_(block), words_((block.filter_count() + 63) / 64) {}

  const uint64_t* of(uint32_t row) {
    std::fill(words_.begin(), words_.end(), 0);
    for (size_t f = 0; f < block_.filter_count(); ++f) {
      if (block_.passes(f, row)) words_[f / 64] |= uint64_t{1} << (f % 64);
    }
    return words_.data();
  }

 private:
  const RowBlockView& block_;
  std::vector<uint64_t> words_;
};

}  // namespace

struct PartitionState::Impl {
  explicit Impl(TableSchemas given) : schemas(std::move(given)) { add_tables(); }
  // Those that there are not yet.
  void add_tables() {
    for (size_t t = layouts.size(); t < schemas->size(); ++t) {
      layouts.emplace_back((*schemas)[t]);
      bases.emplace_back((*schemas)[t]);
    }
    registries.resize(schemas->size());
    floors.resize(schemas->size(), kMinTime);
  }
  ~Impl() {
    for (uint32_t slot = 0; slot < keys.slot_count(); ++slot) {
      KeyEntry& entry = keys.entry(slot);
      if (entry.occupied) entry.log.clear(context(entry.table));
    }
  }

  TimeUs before_horizon(DurationUs retention) const {
    TimeUs out;
    return __builtin_sub_overflow(horizon, retention, &out) ? kMinTime : out;
  }
  // How far the horizon rises between two rounds of the sweep.
  double round_us() const {
    DurationUs shortest = INT64_MAX;
    for (const TableSchema& schema : *schemas) shortest = std::min(shortest, schema.retention);
    return std::max(1.0, static_cast<double>(shortest) / kRoundsPerRetention);
  }
  TimeUs limit(uint16_t table) const {
    return std::max(kept_since((*schemas)[table], horizon), floors[table]);
  }
  LogContext context(uint16_t table) const {
    const BasePlan* base = bases[table].empty() ? nullptr : &bases[table];
    const Deduplication* deduplication = (*schemas)[table].deduplication.get();
    const TimeUs limit = this->limit(table);
    // Which of them count depends on those before them.
    const DurationUs within = deduplication == nullptr ? 0 : deduplication->within;
    return {layouts[table], limit,
            &stats,         base,
            deduplication,  bases[table].leaves.get(),
            saturating_add(limit, within)};
  }

  void fetch_ahead(const RowBlockView& block, uint32_t begin, uint32_t end, uint32_t* slots) const;
  uint32_t slot_of(const RowBlockView& block, uint32_t row, uint32_t candidate);
  void sweep();
  void drop_if_empty(uint32_t slot) {
    if (keys.entry(slot).log.empty()) keys.erase(slot);
  }
  void apply(KeyImage* image, uint64_t version);
  uint32_t begin_load(uint16_t table, std::string_view key, uint64_t hash);
  uint32_t loading_slot(uint16_t table, std::string_view key, uint64_t hash, Load which);
  bool present(const RowLog& log, uint16_t table) const {
    if (!bases[table].empty()) return !log.empty();
    const TableSchema& schema = (*schemas)[table];
    const TimeUs seen = before_horizon(features_reach(schema));
    if (floors[table] == kMinTime) return log.has_row_since(seen);
    return log.has_row_since(std::max(seen, context(table).all_since));
  }
  void encode(uint32_t slot, ByteWriter* out);

  TableSchemas schemas;
  std::vector<ChunkLayout> layouts;
  std::vector<BasePlan> bases;  // empty of tables without lifetime windows
  std::vector<TimeUs> floors;  // by table
  KeyTable keys;
  TimeUs horizon = kMinTime;
  size_t next_swept = 0;
  double sweep_owed = 0;  // of a round, up to 1
  size_t rows_since_sweep = 0;
  bool complete = true;
  size_t next_evicted = 0;
  std::vector<uint32_t> loading;      // slots
  std::vector<uint64_t> load_filter;  // bits by hash, of the keys that are being loaded
  // Reading fills caches and reuses scratch space; neither shows in any answer.
  mutable std::vector<InputRegistry> registries;
  mutable WindowReader reader;
  mutable WindowStats stats;  // bytes without those of `keys`
};

PartitionState::PartitionState(TableSchemas schemas)
    : impl_(std::make_unique<Impl>(std::move(schemas))) {}
PartitionState::PartitionState(PartitionState&&) noexcept = default;
PartitionState& PartitionState::operator=(PartitionState&&) noexcept = default;
PartitionState::~PartitionState() = default;

void PartitionState::set_features(TableSchemas schemas) {
  ASSERT(reads_states_of(*schemas, schema_hash(*impl_->schemas)));
  for (size_t t = 0; t < impl_->schemas->size(); ++t) {
    impl_->bases[t].leaves = BasePlan((*schemas)[t]).leaves;
  }
  impl_->schemas = std::move(schemas);
  impl_->add_tables();
}

// Memory for a stage of rows is asked for step by step, so that its misses overlap: index cells,
// then slots, then chunk headers, then the places of the next row.
void PartitionState::Impl::fetch_ahead(const RowBlockView& block, uint32_t begin, uint32_t end,
                                       uint32_t* slots) const {
  const uint64_t* const hashes = block.key_hashes().data();
  for (uint32_t r = begin; r < end; ++r) keys.prefetch(KeyTable::mix(block.table(), hashes[r]));
  for (uint32_t r = begin; r < end; ++r) {
    const uint32_t slot = keys.candidate(KeyTable::mix(block.table(), hashes[r]));
    slots[r - begin] = slot;
    if (slot != KeyTable::kNone) __builtin_prefetch(&keys.entry(slot), 1);
  }
  for (uint32_t r = begin; r < end; ++r) {
    if (slots[r - begin] == KeyTable::kNone) continue;
    const Chunk* tail = keys.entry(slots[r - begin]).log.tail();
    if (tail != nullptr) __builtin_prefetch(tail, 1);
  }
  for (uint32_t r = begin; r < end; ++r) {
    if (slots[r - begin] == KeyTable::kNone) continue;
    const KeyEntry& entry = keys.entry(slots[r - begin]);
    if (entry.log.tail() != nullptr) layouts[entry.table].prefetch_push(*entry.log.tail());
  }
}

uint32_t PartitionState::Impl::slot_of(const RowBlockView& block, uint32_t row,
                                       uint32_t candidate) {
  const uint64_t hash = block.key_hashes()[row];
  const std::string_view key = block.key(row);
  if (candidate != KeyTable::kNone &&
      KeyTable::matches(keys.entry(candidate), block.table(), key, hash)) {
    return candidate;
  }
  return complete ? keys.find_or_insert(block.table(), key, hash)
                  : keys.find(block.table(), key, hash);
}

void PartitionState::append(const RowBlockView& block, uint64_t version) {
  ASSERT(fits(*impl_->schemas, block));
  const LogContext context = impl_->context(block.table());
  impl_->rows_since_sweep += block.rows();
  FilterWords filters(block);
  std::array<uint32_t, kStage> candidates;
  for (uint32_t begin = 0; begin < block.rows(); begin += kStage) {
    const uint32_t end = std::min(block.rows(), begin + kStage);
    impl_->fetch_ahead(block, begin, end, candidates.data());
    for (uint32_t r = begin; r < end; ++r) {
      const TimeUs time = block.event_times()[r];
      if (time < context.limit && context.base == nullptr) continue;
      const uint32_t slot = impl_->slot_of(block, r, candidates[r - begin]);
      if (slot == KeyTable::kNone) continue;
      KeyEntry& entry = impl_->keys.entry(slot);
      entry.version = version;
      entry.log.append(context, {time, block.columns().data(), r, filters.of(r)});
    }
  }
}

void PartitionState::raise_horizon(TimeUs horizon) {
  if (horizon > impl_->horizon) {
    const bool first = impl_->horizon == kMinTime;
    const double risen = static_cast<double>(horizon) - static_cast<double>(impl_->horizon);
    impl_->sweep_owed = first ? 1 : std::min(1.0, impl_->sweep_owed + risen / impl_->round_us());
    impl_->horizon = horizon;
  }
  impl_->sweep();
}

TimeUs PartitionState::horizon() const { return impl_->horizon; }

void PartitionState::raise_floors(std::span<const TimeUs> floors) {
  for (size_t t = 0; t < std::min(floors.size(), impl_->floors.size()); ++t) {
    impl_->floors[t] = std::max(impl_->floors[t], floors[t]);
  }
}

// Nothing expires that the horizon has not passed: the rounds follow it, and a call that has a lot
// to catch up with does no more than the rows that came with it are worth.
void PartitionState::Impl::sweep() {
  const size_t most = std::max(kSweepSlots, std::exchange(rows_since_sweep, 0));
  for (size_t i = 0; i < most && sweep_owed > 0 && keys.slot_count() > 0; ++i) {
    if (next_swept >= keys.slot_count()) next_swept = 0;
    const auto slot = static_cast<uint32_t>(next_swept);
    KeyEntry& entry = keys.entry(slot);
    if (entry.occupied) {
      if (!entry.log.free_expired(context(entry.table))) return;  // goes on with this key
      drop_if_empty(slot);
    }
    ++next_swept;
    sweep_owed -= 1 / static_cast<double>(keys.slot_count());
  }
}

bool PartitionState::complete() const { return impl_->complete; }

void PartitionState::set_complete(bool complete) { impl_->complete = complete; }

PartitionState::Found PartitionState::find(uint16_t table, std::string_view key,
                                           uint64_t key_hash) const {
  if (impl_->keys.find(table, key, key_hash) != KeyTable::kNone) return Found::kInMemory;
  return impl_->complete ? Found::kAbsent : Found::kMaybeOnDisk;
}

// A clock: the hand goes round the slots, spares what was read since it last came by, and takes
// what was not.
PartitionState::Evicted PartitionState::evict(uint64_t bytes, uint64_t covered, size_t slots) {
  const uint64_t before = stats().bytes;
  Evicted out;
  const size_t count = std::min(slots, 2 * slot_count());
  for (size_t i = 0; i < count && out.bytes < bytes; ++i) {
    if (impl_->next_evicted >= slot_count()) impl_->next_evicted = 0;
    const auto slot = static_cast<uint32_t>(impl_->next_evicted++);
    KeyEntry& entry = impl_->keys.entry(slot);
    if (!entry.occupied) continue;
    if (entry.version > covered && !mutated(Mutation::kEvictUncovered)) continue;
    if (entry.read) {
      entry.read = false;
      continue;
    }
    entry.log.clear(impl_->context(entry.table));
    impl_->keys.erase(slot);
    impl_->complete = false;
    ++out.keys;
    out.bytes = before - stats().bytes;
  }
  impl_->keys.shrink();
  out.bytes = before - stats().bytes;
  return out;
}

void PartitionState::begin_load(uint16_t table, std::string_view key, uint64_t key_hash) {
  if (impl_->keys.find(table, key, key_hash) == KeyTable::kNone) {
    impl_->begin_load(table, key, key_hash);
  }
}

uint32_t PartitionState::Impl::begin_load(uint16_t table, std::string_view key, uint64_t hash) {
  const uint32_t slot = keys.find_or_insert(table, key, hash);
  keys.entry(slot).loading = true;
  loading.push_back(slot);
  load_filter.resize(kLoadFilterBits / 64);
  const uint64_t bit = load_bit(table, hash);
  load_filter[bit / 64] |= uint64_t{1} << (bit % 64);
  return slot;
}

// The slot of a key that is being loaded, or kNone if this one is not.
uint32_t PartitionState::Impl::loading_slot(uint16_t table, std::string_view key, uint64_t hash,
                                            Load which) {
  const uint32_t slot = keys.find(table, key, hash);
  if (slot != KeyTable::kNone) return keys.entry(slot).loading ? slot : KeyTable::kNone;
  return which == Load::kMissing ? begin_load(table, key, hash) : KeyTable::kNone;
}

Status PartitionState::load_image(ByteReader* in, uint64_t version, Load which) {
  Result<KeyImage> image = KeyImage::decode(*impl_->schemas, impl_->bases, in);
  if (!image) return image.error();
  const uint32_t slot = impl_->loading_slot(image->table(), image->key(), image->hash(), which);
  if (slot == KeyTable::kNone) return {};
  KeyEntry& entry = impl_->keys.entry(slot);
  image->fill(impl_->context(entry.table), &entry.log);
  entry.version = version;
  return {};
}

// Most rows are of keys that are not being loaded: a small filter over the hashes tells.
void PartitionState::load_rows(const RowBlockView& block, uint64_t version, Load which) {
  ASSERT(fits(*impl_->schemas, block));
  if (which == Load::kBegun && impl_->loading.empty()) return;
  const uint16_t table = block.table();
  const LogContext context = impl_->context(table);
  const uint64_t* const hashes = block.key_hashes().data();
  FilterWords filters(block);
  for (uint32_t r = 0; r < block.rows(); ++r) {
    if (which == Load::kBegun) {
      const uint64_t bit = load_bit(table, hashes[r]);
      if ((impl_->load_filter[bit / 64] >> (bit % 64) & 1) == 0) continue;
    }
    const TimeUs time = block.event_times()[r];
    if (time < context.limit && context.base == nullptr) continue;
    const uint32_t slot = impl_->loading_slot(table, block.key(r), hashes[r], which);
    if (slot == KeyTable::kNone) continue;
    KeyEntry& entry = impl_->keys.entry(slot);
    entry.version = version;
    entry.log.append(context, {time, block.columns().data(), r, filters.of(r)});
  }
}

void PartitionState::end_load() {
  for (const uint32_t slot : impl_->loading) {
    impl_->keys.entry(slot).loading = false;
    impl_->drop_if_empty(slot);
  }
  impl_->loading.clear();
  impl_->load_filter = {};
}

bool PartitionState::compute(uint16_t table, std::string_view key, uint64_t key_hash,
                             std::span<const FeatureSpec* const> features, TimeUs as_of,
                             std::vector<FeatureValue>* out,
                             std::vector<DurationUs>* resolutions,
                             std::vector<TimeUs>* complete_since) const {
  ASSERT(table < impl_->schemas->size());
  const uint32_t slot = impl_->keys.find(table, key, key_hash);
  const LogContext context = impl_->context(table);
  const RowLog* log = nullptr;
  if (slot != KeyTable::kNone) {
    KeyEntry& entry = impl_->keys.entry(slot);
    entry.read = true;
    entry.log.settle(context);
    log = &entry.log;
  }
  // Rows that may go count as gone, so that no answer shows how far freeing has come.
  if (log != nullptr && !impl_->present(*log, table)) log = nullptr;
  impl_->reader.read(context, log, features, as_of, &impl_->registries[table], out, resolutions);
  if (complete_since != nullptr) {
    complete_since->clear();
    for (const FeatureSpec* feature : features) {
      complete_since->push_back(complete_from(context, *feature, as_of));
    }
  }
  return log != nullptr;
}

void PartitionState::sample_keys(uint16_t table, size_t limit,
                                 std::vector<std::string>* out) const {
  for (uint32_t slot = 0; slot < impl_->keys.slot_count() && limit > 0; ++slot) {
    const KeyEntry& entry = impl_->keys.entry(slot);
    if (!entry.occupied || entry.table != table) continue;
    out->emplace_back(entry.key());
    --limit;
  }
}

size_t PartitionState::slot_count() const { return impl_->keys.slot_count(); }

bool PartitionState::slot_changed_since(size_t slot, uint64_t version) const {
  const KeyEntry& entry = impl_->keys.entry(static_cast<uint32_t>(slot));
  return entry.occupied && entry.version > version;
}

void PartitionState::Impl::encode(uint32_t slot, ByteWriter* out) {
  KeyEntry& entry = keys.entry(slot);
  entry.log.settle(context(entry.table));
  encode_image_head(entry.table, entry.hash, entry.key(), out);
  encode_image_body(context(entry.table), entry.log, out);
}

void PartitionState::encode_image(size_t slot, ByteWriter* out) const {
  ASSERT(slot < slot_count() && impl_->keys.entry(static_cast<uint32_t>(slot)).occupied);
  impl_->encode(static_cast<uint32_t>(slot), out);
}

void PartitionState::Impl::apply(KeyImage* image, uint64_t version) {
  const LogContext log_context = context(image->table());
  const uint32_t slot = complete ? keys.find_or_insert(image->table(), image->key(), image->hash())
                                 : keys.find(image->table(), image->key(), image->hash());
  if (slot == KeyTable::kNone) return;
  KeyEntry& entry = keys.entry(slot);
  image->fill(log_context, &entry.log);
  entry.version = version;
  drop_if_empty(slot);
}

Status PartitionState::apply_image(ByteReader* in, uint64_t version) {
  Result<KeyImage> image = KeyImage::decode(*impl_->schemas, impl_->bases, in);
  if (!image) return image.error();
  impl_->apply(&*image, version);
  return {};
}

WindowStats PartitionState::stats() const {
  WindowStats out = impl_->stats;
  out.keys = impl_->keys.key_count();
  out.key_bytes = impl_->keys.bytes();
  out.bytes += out.key_bytes;
  return out;
}

}  // namespace tidemill
