#include "shared/window/partition_state.h"

#include <algorithm>
#include <array>

#include "shared/base/assert.h"
#include "shared/base/hash.h"
#include "shared/window/image.h"
#include "shared/window/key_table.h"
#include "shared/window/window_read.h"

namespace tidemill {
namespace {

constexpr uint32_t kStateMagic = 0x53504d54;  // "TMPS"
constexpr uint32_t kStateVersion = 2;
constexpr size_t kSweepSlots = 64;  // looked at per raise_horizon()
constexpr uint32_t kStage = 64;     // rows whose memory is fetched ahead together

// What a serialized state must have in common with the job that reads it.
uint64_t schema_hash(const std::vector<TableSchema>& schemas) {
  ByteWriter out;
  for (const TableSchema& schema : schemas) {
    out.put_string(schema.entity);
    out.put(static_cast<uint32_t>(schema.columns.size()));
    for (const ColumnType type : schema.columns) out.put(static_cast<uint8_t>(type));
    out.put(schema.filters);
    out.put(static_cast<uint32_t>(schema.lifetime.size()));
    for (const FeatureSpec& feature : schema.lifetime) {  // they decide what bases hold
      out.put(static_cast<uint8_t>(feature.function));
      out.put(feature.column);
      out.put(feature.filter);
      out.put(feature.n);
      out.put(static_cast<uint32_t>(feature.order.size()));
      for (const uint32_t column : feature.order) out.put(column);
    }
    out.put(static_cast<uint32_t>(schema.views.size()));
    for (const TableView& view : schema.views) out.put(view.view);
  }
  const auto bytes = out.take();
  return hash_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kStateVersion);
}

uint64_t checksum(std::span<const uint8_t> bytes) {
  return hash_bytes({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kStateMagic);
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
  explicit Impl(TableSchemas given) : schemas(std::move(given)), registries(schemas->size()) {
    for (const TableSchema& schema : *schemas) {
      layouts.emplace_back(schema);
      bases.emplace_back(schema);
      for (const TableView& view : schema.views) {
        auto& counts = stats.too_late_by_view;
        counts.resize(std::max<size_t>(counts.size(), view.view + size_t{1}));
      }
    }
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
  TimeUs limit(uint16_t table) const { return before_horizon((*schemas)[table].retention); }
  LogContext context(uint16_t table) const {
    const BasePlan* base = bases[table].empty() ? nullptr : &bases[table];
    return {layouts[table], limit(table), &stats, base};
  }

  bool fits(const RowBlockView& block) const;
  TimeUs late_limit(const LogContext& context, uint16_t table) const;
  void count_late(const RowBlockView& block, uint32_t row);
  void fetch_ahead(const RowBlockView& block, uint32_t begin, uint32_t end, uint32_t* slots) const;
  uint32_t slot_of(const RowBlockView& block, uint32_t row, uint32_t candidate);
  void sweep();
  void drop_if_empty(uint32_t slot) {
    if (keys.entry(slot).log.empty()) keys.erase(slot);
  }
  void apply(KeyImage* image, uint64_t version);
  bool present(const RowLog& log, const LogContext& context) const {
    return context.base != nullptr ? !log.empty() : log.has_row_since(context.limit);
  }
  void encode(uint32_t slot, ByteWriter* out) const;

  TableSchemas schemas;
  std::vector<ChunkLayout> layouts;
  std::vector<BasePlan> bases;  // empty of tables without lifetime windows
  KeyTable keys;
  TimeUs horizon = kMinTime;
  size_t next_swept = 0;
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

bool PartitionState::Impl::fits(const RowBlockView& block) const {
  if (block.table() >= schemas->size()) return false;
  const TableSchema& schema = (*schemas)[block.table()];
  return block.filter_count() == schema.filters &&
         std::equal(block.columns().begin(), block.columns().end(), schema.columns.begin(),
                    schema.columns.end(),
                    [](const RowBlockColumn& c, ColumnType type) { return c.type == type; });
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
  return keys.find_or_insert(block.table(), key, hash);
}

// Rows at or after it are too late for nobody.
TimeUs PartitionState::Impl::late_limit(const LogContext& context, uint16_t table) const {
  TimeUs out = context.base == nullptr ? context.limit : kMinTime;
  for (const TableView& view : (*schemas)[table].views) {
    if (!view.lifetime) out = std::max(out, before_horizon(view.retention));
  }
  return out;
}

void PartitionState::Impl::count_late(const RowBlockView& block, uint32_t row) {
  const TimeUs time = block.event_times()[row];
  for (const TableView& view : (*schemas)[block.table()].views) {
    if (view.lifetime || time >= before_horizon(view.retention)) continue;
    const bool in_view = view.filters.empty() ||
                         std::any_of(view.filters.begin(), view.filters.end(),
                                     [&](uint32_t filter) { return block.passes(filter, row); });
    if (in_view) ++stats.too_late_by_view[view.view];
  }
}

bool PartitionState::accepts(const RowBlockView& block) const { return impl_->fits(block); }

void PartitionState::append(const RowBlockView& block, uint64_t version) {
  ASSERT(impl_->fits(block));
  const LogContext context = impl_->context(block.table());
  const TimeUs late_limit = impl_->late_limit(context, block.table());
  FilterWords filters(block);
  std::array<uint32_t, kStage> candidates;
  for (uint32_t begin = 0; begin < block.rows(); begin += kStage) {
    const uint32_t end = std::min(block.rows(), begin + kStage);
    impl_->fetch_ahead(block, begin, end, candidates.data());
    for (uint32_t r = begin; r < end; ++r) {
      const TimeUs time = block.event_times()[r];
      if (time < late_limit) {
        impl_->count_late(block, r);
        if (time < context.limit && context.base == nullptr) {
          ++impl_->stats.too_late_rows;
          continue;
        }
      }
      const uint32_t slot = impl_->slot_of(block, r, candidates[r - begin]);
      KeyEntry& entry = impl_->keys.entry(slot);
      entry.version = version;
      entry.log.append(context, {time, block.columns().data(), r, filters.of(r)});
    }
  }
}

void PartitionState::raise_horizon(TimeUs horizon) {
  impl_->horizon = std::max(impl_->horizon, horizon);
  if (impl_->horizon != kMinTime) impl_->sweep();
}

TimeUs PartitionState::horizon() const { return impl_->horizon; }

void PartitionState::Impl::sweep() {
  const size_t count = std::min(kSweepSlots, keys.slot_count());
  for (size_t i = 0; i < count; ++i) {
    if (next_swept >= keys.slot_count()) next_swept = 0;
    const auto slot = static_cast<uint32_t>(next_swept++);
    KeyEntry& entry = keys.entry(slot);
    if (!entry.occupied) continue;
    entry.log.free_expired(context(entry.table));
    drop_if_empty(slot);
  }
}

bool PartitionState::compute(uint16_t table, std::string_view key, uint64_t key_hash,
                             std::span<const FeatureSpec* const> features, TimeUs as_of,
                             std::vector<FeatureValue>* out) const {
  ASSERT(table < impl_->schemas->size());
  const uint32_t slot = impl_->keys.find(table, key, key_hash);
  const RowLog* log = slot == KeyTable::kNone ? nullptr : &impl_->keys.entry(slot).log;
  // Rows that may go count as gone, so that no answer shows how far freeing has come.
  const LogContext context = impl_->context(table);
  if (log != nullptr && !impl_->present(*log, context)) log = nullptr;
  impl_->reader.read(context, log, features, as_of, &impl_->registries[table], out);
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

// Rows before the limit are encoded as if they had been folded or freed, whether they have or not.
void PartitionState::Impl::encode(uint32_t slot, ByteWriter* out) const {
  const KeyEntry& entry = keys.entry(slot);
  const LogContext log_context = context(entry.table);
  std::vector<RowRef> rows;
  entry.log.collect(log_context, &rows);
  encode_image_head(entry.table, entry.hash, entry.key(), out);
  encode_rows(log_context.layout, rows, out);
  if (log_context.base == nullptr) return;
  std::vector<ChunkRows> expired;
  entry.log.collect_expired(log_context, &expired);
  encode_base(*log_context.base, log_context.layout, entry.log.base(), expired, out);
}

void PartitionState::encode_image(size_t slot, ByteWriter* out) const {
  ASSERT(slot < slot_count() && impl_->keys.entry(static_cast<uint32_t>(slot)).occupied);
  impl_->encode(static_cast<uint32_t>(slot), out);
}

void PartitionState::Impl::apply(KeyImage* image, uint64_t version) {
  const LogContext log_context = context(image->table());
  const uint32_t slot = keys.find_or_insert(image->table(), image->key(), image->hash());
  KeyEntry& entry = keys.entry(slot);
  entry.log.clear(log_context);
  if (image->base().any) {
    entry.log.restore_base(
        log_context, image->base().restore(*log_context.base, log_context.layout, &stats.bytes));
  }
  for (uint32_t r = 0; r < image->rows().rows(); ++r) {
    const RowInput row = image->rows().row(r);
    if (row.time >= log_context.limit || log_context.base != nullptr) {
      entry.log.append(log_context, row);
    }
  }
  entry.version = version;
  drop_if_empty(slot);
}

Status PartitionState::apply_image(ByteReader* in, uint64_t version) {
  Result<KeyImage> image = KeyImage::decode(*impl_->schemas, impl_->bases, in);
  if (!image) return image.error();
  impl_->apply(&*image, version);
  return {};
}

void PartitionState::serialize(ByteWriter* out) const {
  const size_t begin = out->size();
  out->put(kStateMagic);
  out->put(kStateVersion);
  out->put(schema_hash(*impl_->schemas));
  out->put(impl_->horizon);
  const WindowStats& stats = impl_->stats;
  for (const uint64_t ever :
       {stats.full_chunks, stats.recut_chunks, stats.freed_rows, stats.too_late_rows}) {
    out->put(ever);
  }
  out->put(static_cast<uint32_t>(stats.too_late_by_view.size()));
  for (const uint64_t rows : stats.too_late_by_view) out->put(rows);
  out->put(static_cast<uint64_t>(impl_->keys.key_count()));
  for (uint32_t slot = 0; slot < impl_->keys.slot_count(); ++slot) {
    const KeyEntry& entry = impl_->keys.entry(slot);
    if (!entry.occupied) continue;
    out->put(entry.version);
    impl_->encode(slot, out);
  }
  out->put(checksum(std::span(out->bytes()).subspan(begin)));
}

Result<PartitionState> PartitionState::deserialize(TableSchemas schemas,
                                                   std::span<const uint8_t> bytes) {
  if (bytes.size() < 2 * sizeof(uint64_t)) return corrupt_error("partition state: truncated");
  const auto body = bytes.first(bytes.size() - sizeof(uint64_t));
  ByteReader trailer(bytes.subspan(body.size()));
  if (trailer.get<uint64_t>() != checksum(body)) {
    return corrupt_error("partition state: checksum does not match");
  }
  ByteReader in(body);
  if (in.get<uint32_t>() != kStateMagic) return corrupt_error("partition state: not one");
  const auto version = in.get<uint32_t>();
  if (version != kStateVersion) {
    return corrupt_error("partition state: version " + std::to_string(version) +
                         ", this build reads " + std::to_string(kStateVersion));
  }
  if (in.get<uint64_t>() != schema_hash(*schemas)) {
    return corrupt_error("partition state: written for other tables than this job's");
  }
  PartitionState state(std::move(schemas));
  Impl& impl = *state.impl_;
  impl.horizon = in.get<int64_t>();
  WindowStats ever;
  for (uint64_t* count :
       {&ever.full_chunks, &ever.recut_chunks, &ever.freed_rows, &ever.too_late_rows}) {
    *count = in.get<uint64_t>();
  }
  ever.too_late_by_view.resize(impl.stats.too_late_by_view.size());
  if (in.get<uint32_t>() != ever.too_late_by_view.size()) {
    return corrupt_error("partition state: written for other views than this job's");
  }
  for (uint64_t& rows : ever.too_late_by_view) rows = in.get<uint64_t>();
  const auto keys = in.get<uint64_t>();
  for (uint64_t i = 0; i < keys && in.ok(); ++i) {
    const auto key_version = in.get<uint64_t>();
    Result<KeyImage> image = KeyImage::decode(*impl.schemas, impl.bases, &in);
    if (!image) return image.error().within("partition state, key " + std::to_string(i));
    if (impl.keys.find(image->table(), image->key(), image->hash()) != KeyTable::kNone) {
      return corrupt_error("partition state: key " + std::to_string(i) + " occurs twice");
    }
    impl.apply(&*image, key_version);
  }
  if (!in.ok() || in.remaining() != 0) {
    return corrupt_error("partition state: length does not match its contents");
  }
  impl.stats.full_chunks = ever.full_chunks;
  impl.stats.recut_chunks = ever.recut_chunks;
  impl.stats.freed_rows = ever.freed_rows;
  impl.stats.too_late_rows = ever.too_late_rows;
  impl.stats.too_late_by_view = ever.too_late_by_view;
  return state;
}

WindowStats PartitionState::stats() const {
  WindowStats out = impl_->stats;
  out.keys = impl_->keys.key_count();
  out.bytes += impl_->keys.bytes();
  return out;
}

}  // namespace tidemill
