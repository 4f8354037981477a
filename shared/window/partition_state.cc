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
constexpr uint32_t kStateVersion = 1;
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
    for (const TableSchema& schema : *schemas) layouts.emplace_back(schema);
  }
  ~Impl() {
    for (uint32_t slot = 0; slot < keys.slot_count(); ++slot) {
      KeyEntry& entry = keys.entry(slot);
      if (entry.occupied) entry.log.clear(context(entry.table));
    }
  }

  TimeUs limit(uint16_t table) const {
    TimeUs out;
    const bool below = __builtin_sub_overflow(horizon, (*schemas)[table].retention, &out);
    return below ? kMinTime : out;
  }
  LogContext context(uint16_t table) const { return {layouts[table], limit(table), &stats}; }

  bool fits(const RowBlockView& block) const;
  void fetch_ahead(const RowBlockView& block, uint32_t begin, uint32_t end, uint32_t* slots) const;
  uint32_t slot_of(const RowBlockView& block, uint32_t row, uint32_t candidate);
  void sweep();
  void drop_if_empty(uint32_t slot) {
    if (keys.entry(slot).log.empty()) keys.erase(slot);
  }
  Status apply(const KeyImage& image, uint64_t version);
  void encode(uint32_t slot, std::vector<RowRef>* rows, ByteWriter* out) const;

  TableSchemas schemas;
  std::vector<ChunkLayout> layouts;
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

bool PartitionState::accepts(const RowBlockView& block) const { return impl_->fits(block); }

void PartitionState::append(const RowBlockView& block, uint64_t version) {
  ASSERT(impl_->fits(block));
  const LogContext context = impl_->context(block.table());
  FilterWords filters(block);
  std::array<uint32_t, kStage> candidates;
  for (uint32_t begin = 0; begin < block.rows(); begin += kStage) {
    const uint32_t end = std::min(block.rows(), begin + kStage);
    impl_->fetch_ahead(block, begin, end, candidates.data());
    for (uint32_t r = begin; r < end; ++r) {
      const TimeUs time = block.event_times()[r];
      if (time < context.limit) {
        ++impl_->stats.too_late_rows;
        continue;
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
  if (log != nullptr && !log->has_row_since(impl_->limit(table))) log = nullptr;
  impl_->reader.read(impl_->layouts[table], log, features, as_of, &impl_->registries[table],
                     &impl_->stats, out);
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

void PartitionState::Impl::encode(uint32_t slot, std::vector<RowRef>* rows, ByteWriter* out) const {
  const KeyEntry& entry = keys.entry(slot);
  entry.log.collect(context(entry.table), rows);
  encode_key_image(layouts[entry.table], entry.table, entry.hash, entry.key(), *rows, out);
}

void PartitionState::encode_image(size_t slot, ByteWriter* out) const {
  ASSERT(slot < slot_count() && impl_->keys.entry(static_cast<uint32_t>(slot)).occupied);
  std::vector<RowRef> rows;
  impl_->encode(static_cast<uint32_t>(slot), &rows, out);
}

Status PartitionState::Impl::apply(const KeyImage& image, uint64_t version) {
  const LogContext log_context = context(image.table());
  const uint32_t slot = keys.find_or_insert(image.table(), image.key(), image.hash());
  KeyEntry& entry = keys.entry(slot);
  entry.log.clear(log_context);
  for (uint32_t r = 0; r < image.rows(); ++r) {
    const RowInput row = image.row(r);
    if (row.time >= log_context.limit) entry.log.append(log_context, row);
  }
  entry.version = version;
  drop_if_empty(slot);
  return {};
}

Status PartitionState::apply_image(ByteReader* in, uint64_t version) {
  Result<KeyImage> image = KeyImage::decode(*impl_->schemas, in);
  if (!image) return image.error();
  return impl_->apply(*image, version);
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
  out->put(static_cast<uint64_t>(impl_->keys.key_count()));
  std::vector<RowRef> rows;
  for (uint32_t slot = 0; slot < impl_->keys.slot_count(); ++slot) {
    const KeyEntry& entry = impl_->keys.entry(slot);
    if (!entry.occupied) continue;
    out->put(entry.version);
    impl_->encode(slot, &rows, out);
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
  const auto keys = in.get<uint64_t>();
  for (uint64_t i = 0; i < keys && in.ok(); ++i) {
    const auto key_version = in.get<uint64_t>();
    Result<KeyImage> image = KeyImage::decode(*impl.schemas, &in);
    if (!image) return image.error().within("partition state, key " + std::to_string(i));
    if (impl.keys.find(image->table(), image->key(), image->hash()) != KeyTable::kNone) {
      return corrupt_error("partition state: key " + std::to_string(i) + " occurs twice");
    }
    if (Status applied = impl.apply(*image, key_version); !applied) return applied.error();
  }
  if (!in.ok() || in.remaining() != 0) {
    return corrupt_error("partition state: length does not match its contents");
  }
  impl.stats.full_chunks = ever.full_chunks;
  impl.stats.recut_chunks = ever.recut_chunks;
  impl.stats.freed_rows = ever.freed_rows;
  impl.stats.too_late_rows = ever.too_late_rows;
  return state;
}

WindowStats PartitionState::stats() const {
  WindowStats out = impl_->stats;
  out.keys = impl_->keys.key_count();
  out.bytes += impl_->keys.bytes();
  return out;
}

}  // namespace tidemill
