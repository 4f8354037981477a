#include "shared/state/change_cursor.h"

#include <algorithm>
#include <bit>

#include "shared/window/block_list.h"
#include "shared/window/image.h"

namespace tidemill {
namespace {

constexpr size_t kSmallBucket = 16;
constexpr size_t kRunBytes = 1u << 20;  // a hot key's rows are several runs
constexpr size_t kFetchAhead = 16;      // rows, for each of the two steps

// Sorts by hash, and equal hashes by order of arrival, which they are in. Hashes are spread evenly
// between the least and the greatest, unless a few keys have most of the rows: one pass puts each
// entry near its place.
template <typename Entry>
void sort_by_hash(std::vector<Entry>* entries) {
  if (entries->size() < 2) return;
  const auto by_hash = [](const Entry& a, const Entry& b) { return a.hash < b.hash; };
  const auto [least, greatest] = std::minmax_element(entries->begin(), entries->end(), by_hash);
  const uint64_t first = least->hash;
  const auto span_bits = static_cast<int>(std::bit_width(greatest->hash - first));
  const int shift = std::max(0, span_bits - static_cast<int>(std::bit_width(entries->size())));
  std::vector<uint32_t> ends(((greatest->hash - first) >> shift) + 2);
  for (const Entry& entry : *entries) ++ends[((entry.hash - first) >> shift) + 1];
  for (size_t i = 1; i < ends.size(); ++i) ends[i] += ends[i - 1];
  std::vector<Entry> sorted(entries->size());
  for (const Entry& entry : *entries) sorted[ends[(entry.hash - first) >> shift]++] = entry;
  for (size_t begin = 0, bucket = 0; begin < sorted.size(); begin = ends[bucket++]) {
    const auto from = sorted.begin() + static_cast<ptrdiff_t>(begin);
    const auto to = sorted.begin() + static_cast<ptrdiff_t>(ends[bucket]);
    if (std::is_sorted(from, to, by_hash)) continue;
    if (static_cast<size_t>(to - from) > kSmallBucket) {
      std::stable_sort(from, to, by_hash);
      continue;
    }
    for (auto i = from + 1; i < to; ++i) {
      const Entry entry = *i;
      auto hole = i;
      for (; hole > from && entry.hash < (hole - 1)->hash; --hole) *hole = *(hole - 1);
      *hole = entry;
    }
  }
  entries->swap(sorted);
}

}  // namespace

ChangeCursor::ChangeCursor(TableSchemas schemas, std::vector<StateChange> changes)
    : schemas_(std::move(schemas)), changes_(std::move(changes)), entries_(schemas_->size()) {
  for (const TableSchema& schema : *schemas_) writers_.emplace_back(schema);
}

Result<std::unique_ptr<ChangeCursor>> ChangeCursor::open(TableSchemas schemas,
                                                         std::vector<StateChange> changes) {
  std::unique_ptr<ChangeCursor> cursor(new ChangeCursor(std::move(schemas), std::move(changes)));
  if (Status gathered = cursor->gather(); !gathered) return gathered.error();
  for (std::vector<Entry>& entries : cursor->entries_) sort_by_hash(&entries);
  cursor->next();
  return cursor;
}

Status ChangeCursor::gather() {
  std::vector<BasePlan> plans;
  for (const TableSchema& schema : *schemas_) plans.emplace_back(schema);
  for (const StateChange& change : changes_) {
    if (change.kind == StateChange::Kind::kImages) {
      if (Status taken = gather_images(change.bytes, plans); !taken) return taken;
      continue;
    }
    const size_t before = blocks_.size();
    if (Status parsed = parse_blocks(change.bytes, *schemas_, &blocks_); !parsed) return parsed;
    for (size_t b = before; b < blocks_.size(); ++b) sources_.push_back({nullptr, kBlock});
  }
  index_sources();
  return {};
}

Status ChangeCursor::gather_images(const Buffer& bytes, const std::vector<BasePlan>& plans) {
  ByteReader in(bytes.bytes());
  while (in.remaining() > 0) {
    const size_t begin = in.position();
    auto image = KeyImage::decode(*schemas_, plans, &in);
    if (!image) return image.error();
    const size_t body = begin + image_head_bytes(image->key());
    sources_.push_back({nullptr, static_cast<uint32_t>(images_.size())});
    images_.push_back({image->table(), image->hash(), image->key(),
                       bytes.bytes().subspan(body, in.position() - body)});
  }
  return {};
}

// Entries in the order of the changes. Blocks have their places now, so that they may be pointed
// to.
void ChangeCursor::index_sources() {
  size_t rows = 0;
  for (const RowBlockView& block : blocks_) rows += block.rows();
  if (!entries_.empty()) entries_[0].reserve(rows);
  const RowBlockView* next_block = blocks_.data();
  for (uint32_t s = 0; s < sources_.size(); ++s) {
    Source& source = sources_[s];
    if (source.image != kBlock) {
      const Image& image = images_[source.image];
      entries_[image.table].push_back({image.hash, s, 0});
      continue;
    }
    source.block = next_block++;
    std::vector<Entry>& entries = entries_[source.block->table()];
    const auto hashes = source.block->key_hashes();
    for (uint32_t row = 0; row < hashes.size(); ++row) entries.push_back({hashes[row], s, row});
  }
  note_memory();
}

// Sorting takes the entries of a table once more.
void ChangeCursor::note_memory() {
  uint64_t bytes = sources_.capacity() * sizeof(Source) + images_.capacity() * sizeof(Image) +
                   blocks_.capacity() * sizeof(RowBlockView);
  for (const StateChange& change : changes_) bytes += change.bytes.size();
  size_t most = 0;
  for (const std::vector<Entry>& entries : entries_) {
    bytes += entries.capacity() * sizeof(Entry);
    most = std::max(most, entries.size());
  }
  memory_.resize(bytes + most * sizeof(Entry));
}

std::string_view ChangeCursor::key_of(const Entry& entry) const {
  const Source& source = sources_[entry.source];
  return source.block != nullptr ? source.block->key(entry.row) : images_[source.image].key;
}

// The rows of a key lie all over the blocks. `at`: the entry that is looked at now.
void ChangeCursor::fetch_ahead(size_t at) {
  const std::vector<Entry>& entries = entries_[table_];
  const auto block_of = [&](const Entry& entry) { return sources_[entry.source].block; };
  const size_t end = std::min(entries.size(), at + 2 * kFetchAhead);
  for (fetched_ = std::max(fetched_, at); fetched_ < end; ++fetched_) {
    const Entry& far = entries[fetched_];
    if (const RowBlockView* block = block_of(far)) block->fetch_fixed(far.row);
    if (fetched_ < at + kFetchAhead) continue;
    const Entry& near = entries[fetched_ - kFetchAhead];
    if (const RowBlockView* block = block_of(near)) block->fetch_strings(near.row);
  }
}

// The end of the entries of the key at `begin`.
size_t ChangeCursor::group_end(size_t begin) {
  std::vector<Entry>& entries = entries_[table_];
  if (begin >= hash_end_) {
    hash_end_ = begin + 1;
    bool one_key = true;
    while (hash_end_ < entries.size() && entries[hash_end_].hash == entries[begin].hash) {
      fetch_ahead(hash_end_);
      one_key = one_key && key_of(entries[hash_end_]) == key_of(entries[begin]);
      ++hash_end_;
    }
    if (one_key) return hash_end_;
    std::stable_sort(entries.begin() + static_cast<ptrdiff_t>(begin),
                     entries.begin() + static_cast<ptrdiff_t>(hash_end_),
                     [&](const Entry& a, const Entry& b) { return key_of(a) < key_of(b); });
  }
  size_t end = begin + 1;
  while (end < hash_end_ && key_of(entries[end]) == key_of(entries[begin])) ++end;
  return end;
}

void ChangeCursor::next() {
  while (table_ < entries_.size() && at_ == entries_[table_].size()) {
    ++table_;
    at_ = hash_end_ = fetched_ = 0;
  }
  valid_ = table_ < entries_.size();
  if (!valid_) return;
  fetch_ahead(at_);
  const size_t end = group_end(at_);
  build(at_, end);
  at_ = end;
}

void ChangeCursor::advance_to(std::string_view key) {
  StateKeyView wanted;
  if (!valid_ || key_ >= key || !decode_state_key(key, &wanted)) return;
  if (wanted.table > table_) {
    table_ = std::min<size_t>(wanted.table, entries_.size());
    at_ = hash_end_ = fetched_ = 0;
  }
  if (wanted.table == table_ && table_ < entries_.size()) {
    const std::vector<Entry>& entries = entries_[table_];
    const auto from = entries.begin() + static_cast<ptrdiff_t>(std::max(at_, hash_end_));
    const auto to = std::lower_bound(from, entries.end(), wanted.hash,
                                     [](const Entry& e, uint64_t hash) { return e.hash < hash; });
    if (to != from) at_ = static_cast<size_t>(to - entries.begin());
  }
  while (valid_ && key_ < key) next();
}

// The value of a key: its last image, if there is one, and the rows behind that.
void ChangeCursor::build(size_t begin, size_t end) {
  const std::vector<Entry>& entries = entries_[table_];
  encode_state_key({static_cast<uint16_t>(table_), entries[begin].hash, key_of(entries[begin])},
                   &key_);
  size_t rows_from = end;
  while (rows_from > begin && sources_[entries[rows_from - 1].source].block != nullptr) --rows_from;
  replaces_ = rows_from > begin;
  rows_ = end - rows_from;
  value_.clear();
  if (replaces_) {
    const auto body = images_[sources_[entries[rows_from - 1].source].image].body;
    put_part(PartKind::kImage, body, &value_);
    rows_ += image_rows(body);
  }
  if (rows_from == end) return;
  RowRunWriter& run = writers_[table_];
  run.begin();
  for (size_t i = rows_from; i < end; ++i) {
    run.add(*sources_[entries[i].source].block, entries[i].row);
    if (run.bytes().size() < kRunBytes && i + 1 < end) continue;
    put_part(PartKind::kRun, run.bytes(), &value_);
    run.begin();
  }
}

}  // namespace tidemill
