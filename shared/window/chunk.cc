#include "shared/window/chunk.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <new>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

// Small steps: a key of few rows is the common case, and its slack is most of its cost.
constexpr uint8_t kCapacities[] = {2, 4, 8, 16, 24, 32, 40, 48, 56, 64};
constexpr uint32_t kHeapHeader = 8;  // u32 used, u32 capacity
// Rows whose strings a new row is compared with: a chunk of a key that is rarely appended to is not
// in the caches, and strings that repeat at all mostly do within so many rows.
constexpr uint32_t kLookBack = 16;
constexpr uint32_t kHeavyHeap = 64u << 20;  // text after which a chunk is closed early
constexpr uint64_t kHeapLimit = 0xffff'0000;

uint8_t capacity_for(size_t rows) {
  for (const uint8_t capacity : kCapacities) {
    if (capacity >= rows) return capacity;
  }
  ASSERT(false);
}

// The largest unit, no larger than `code`, that divides `delta`.
TimeCode unit_for(TimeCode code, int64_t delta) {
  while (code != TimeCode::kMicros && delta % kTimeUnitUs[static_cast<int>(code)] != 0) {
    code = static_cast<TimeCode>(static_cast<int>(code) - 1);
  }
  return code;
}

constexpr int64_t kMostMicros48 = (int64_t{1} << 48) - 1;

// The code for times in [least, greatest] of which `code` divides all differences to `least`.
TimeCode code_for(TimeCode code, TimeUs least, TimeUs greatest) {
  const __int128 span = static_cast<__int128>(greatest) - least;
  if (span / kTimeUnitUs[static_cast<int>(code)] <= std::numeric_limits<uint32_t>::max()) {
    return code;
  }
  return span <= kMostMicros48 ? TimeCode::kMicros48 : TimeCode::kRaw;
}

// Whether a chunk of this code can hold a time that lies `delta` after its base.
bool holds(TimeCode code, int64_t delta) {
  if (delta < 0) return false;
  if (code == TimeCode::kMicros48) return delta <= kMostMicros48;
  const int64_t unit = kTimeUnitUs[static_cast<int>(code)];
  return delta % unit == 0 && delta / unit <= std::numeric_limits<uint32_t>::max();
}

// The chunk's code is not raw, and holds the time.
void store_time(Chunk* chunk, uint32_t row, TimeUs time) {
  const int64_t delta = (time - chunk->base) / kTimeUnitUs[static_cast<int>(chunk->code)];
  chunk->store(sizeof(Chunk) + 4 * row, static_cast<uint32_t>(delta));
  if (chunk->code == TimeCode::kMicros48) {
    chunk->store(chunk->high_offset(row), static_cast<uint16_t>(delta >> 32));
  }
}

bool subtract(int64_t a, int64_t b, int64_t* out) { return !__builtin_sub_overflow(a, b, out); }

void copy_bits(const Chunk& from, size_t from_at, Chunk* to, size_t to_at) {
  std::memcpy(to->at(to_at), from.at(from_at), (from.rows + 7u) / 8);
}

uint64_t first_rows(uint32_t count) {
  return count >= kChunkRows ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

// Of a sorted chunk, whose first rows are `before`: how many.
template <typename Before>
uint32_t rows_before(const Chunk& chunk, Before&& before) {
  uint32_t begin = 0;
  for (uint32_t end = chunk.rows; begin < end;) {
    const uint32_t middle = (begin + end) / 2;
    if (before(chunk.time(middle))) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return begin;
}

}  // namespace

ChunkLayout::ChunkLayout(const TableSchema& schema)
    : types_(schema.columns), filters_(schema.filters), plain_bitmaps_(schema.filters) {
  for (const ColumnType type : types_) {
    prefix_.push_back(row_bytes_);
    bool_bitmap_.push_back(plain_bitmaps_);
    switch (type) {
      case ColumnType::kBool:
        ++plain_bitmaps_;
        break;
      case ColumnType::kString:
      case ColumnType::kBytes:
      case ColumnType::kJson:
      case ColumnType::kDecimal:
      case ColumnType::kList:
      case ColumnType::kStruct:
      case ColumnType::kMap:
        has_strings_ = true;
        row_bytes_ += 4;
        break;
      case ColumnType::kInt32:
        row_bytes_ += 4;
        break;
      default:
        row_bytes_ += 8;
    }
  }
}

size_t ChunkLayout::bitmaps(uint8_t flags) const {
  return plain_bitmaps_ + ((flags & Chunk::kNulls) != 0 ? types_.size() : 0);
}

size_t ChunkLayout::heap_offset(const Chunk& chunk) const {
  return (bitmap_offset(chunk, static_cast<uint32_t>(bitmaps(chunk.flags))) + 7) & ~size_t{7};
}

Chunk* ChunkLayout::allocate(const Shape& shape, StateBytes* bytes) const {
  Chunk header;
  header.capacity = shape.capacity;
  header.flags = shape.flags;
  header.code = shape.code;
  const size_t heap_at = heap_offset(header);
  const size_t total = heap_at + (has_strings_ ? kHeapHeader + shape.heap : 0);
  const size_t rounded = (total + 7) & ~size_t{7};
  ASSERT(rounded <= std::numeric_limits<uint32_t>::max());
  header.bytes = static_cast<uint32_t>(rounded);
  void* memory = ::operator new(rounded);
  auto* chunk = new (memory) Chunk(header);
  const size_t bitmaps_at = bitmap_offset(*chunk, 0);
  std::memset(chunk->at(bitmaps_at), 0, heap_at - bitmaps_at);
  if (has_strings_) {
    chunk->store<uint32_t>(heap_at, 0);
    chunk->store<uint32_t>(heap_at + 4, shape.heap);
  }
  bytes->add_chunk(rounded);
  return chunk;
}

void ChunkLayout::free(Chunk* chunk, StateBytes* bytes) {
  if (chunk == nullptr) return;
  bytes->remove_chunk(chunk->bytes);
  ::operator delete(chunk);
}

// The same rows in an allocation of another shape; the shape has room for all that is there.
Chunk* ChunkLayout::reshape(Chunk* old, const Shape& shape, StateBytes* bytes) const {
  Chunk* out = allocate(shape, bytes);
  out->base = old->base;
  out->rows = old->rows;
  copy_times(*old, out);
  for (uint32_t c = 0; c < types_.size(); ++c) {
    if (types_[c] == ColumnType::kBool) continue;
    const size_t width =
        types_[c] == ColumnType::kInt32 || storage_of(types_[c]) == Storage::kStrings ? 4 : 8;
    std::memcpy(out->at(value_offset(*out, c)), old->at(value_offset(*old, c)), old->rows * width);
  }
  for (uint32_t b = 0; b < bitmaps(old->flags); ++b) {
    copy_bits(*old, bitmap_offset(*old, b), out, bitmap_offset(*out, b));
  }
  if (has_strings_) {
    const size_t from = heap_offset(*old);
    const size_t to = heap_offset(*out);
    const auto used = old->load<uint32_t>(from);
    out->store(to, used);
    std::memcpy(out->at(to + kHeapHeader), old->at(from + kHeapHeader), used);
  }
  free(old, bytes);
  return out;
}

void ChunkLayout::push(Chunk** chunk, const RowInput& row, StateBytes* bytes) const {
  make_room(chunk, row, bytes);
  push_time(chunk, row.time, bytes);
  Chunk* const c = *chunk;
  const uint32_t at = c->rows;
  for (uint32_t f = 0; f < filters_; ++f) {
    if ((row.filters[f / 64] >> (f % 64) & 1) != 0) set_bit(c, f, at);
  }
  for (uint32_t i = 0; i < types_.size(); ++i) {
    const RowBlockColumn& in = row.columns[i];
    const bool null = in.is_null(row.row);
    const size_t offset = value_offset(*c, i);
    if (null) set_bit(c, null_bitmap(i), at);
    switch (types_[i]) {
      case ColumnType::kBool:
        if (!null && in.bool_at(row.row)) set_bit(c, bool_bitmap_[i], at);
        break;
      case ColumnType::kDouble:
        c->store(offset + 8 * at, null ? 0.0 : in.doubles[row.row]);
        break;
      case ColumnType::kInt32:
        c->store(offset + 4 * at, null ? 0 : static_cast<int32_t>(in.ints[row.row]));
        break;
      case ColumnType::kString:
      case ColumnType::kBytes:
      case ColumnType::kJson:
      case ColumnType::kDecimal:
      case ColumnType::kList:
      case ColumnType::kStruct:
      case ColumnType::kMap:
        c->store(offset + 4 * at,
                 intern(c, i, null ? std::string_view() : in.string_at(row.row), kLookBack));
        break;
      default:
        c->store(offset + 8 * at, null ? int64_t{0} : in.ints[row.row]);
    }
  }
  ++c->rows;
  if (at > 0 && c->sorted() && compare({c, at - 1}, {c, at}) > 0) c->flags &= ~Chunk::kSorted;
}

// Grows the allocation if the row needs a longer array, null bitmaps or more text.
void ChunkLayout::make_room(Chunk** chunk, const RowInput& row, StateBytes* bytes) const {
  bool nulls = false;
  uint64_t text = 0;
  for (uint32_t i = 0; i < types_.size(); ++i) {
    const bool null = row.columns[i].is_null(row.row);
    nulls |= null;
    if (storage_of(types_[i]) == Storage::kStrings) {
      text += 4 + (null ? 0 : row.columns[i].string_at(row.row).size());
    }
  }
  const uint8_t null_flag = nulls ? Chunk::kNulls : 0;
  Chunk* const c = *chunk;
  if (c == nullptr) {
    *chunk = allocate({kCapacities[0], static_cast<uint8_t>(Chunk::kSorted | null_flag),
                       TimeCode::kSeconds, static_cast<uint32_t>(text)},
                      bytes);
    (*chunk)->base = row.time;
    return;
  }
  const uint64_t used = has_strings_ ? c->load<uint32_t>(heap_offset(*c)) : 0;
  const uint64_t room = has_strings_ ? c->load<uint32_t>(heap_offset(*c) + 4) : 0;
  const bool full = c->rows == c->capacity;
  if (!full && (c->flags & null_flag) == null_flag && used + text <= room) return;
  ASSERT(used + text <= kHeapLimit);
  const uint64_t heap = used + text <= room ? room : std::min(kHeapLimit, (used + text) * 3 / 2);
  const uint8_t capacity = full ? capacity_for(c->rows + 1u) : c->capacity;
  *chunk = reshape(
      c,
      {capacity, static_cast<uint8_t>(c->flags | null_flag), c->code, static_cast<uint32_t>(heap)},
      bytes);
}

// Writes the time of row number `rows`, re-encoding those before it if it does not fit.
void ChunkLayout::push_time(Chunk** chunk, TimeUs time, StateBytes* bytes) const {
  const uint32_t at = (*chunk)->rows;
  if ((*chunk)->code != TimeCode::kRaw) {
    int64_t from_base;
    if (subtract(time, (*chunk)->base, &from_base) && holds((*chunk)->code, from_base)) {
      return store_time(*chunk, at, time);
    }
    recode_times(chunk, time, bytes);
    if ((*chunk)->code != TimeCode::kRaw) return store_time(*chunk, at, time);
  }
  (*chunk)->store(sizeof(Chunk) + 8 * at, time);
}

// Gives the chunk, whose code is not raw, a base and a code that hold `time` too.
void ChunkLayout::recode_times(Chunk** chunk, TimeUs time, StateBytes* bytes) const {
  Chunk* c = *chunk;
  TimeUs times[kChunkRows];
  for (uint32_t i = 0; i < c->rows; ++i) times[i] = c->time(i);
  const TimeUs least = std::min(time, *std::min_element(times, times + c->rows));
  const TimeUs greatest = std::max(time, *std::max_element(times, times + c->rows));
  TimeCode code = TimeCode::kRaw;
  int64_t span = 0;
  if (subtract(greatest, least, &span)) {
    if (c->code == TimeCode::kMicros48) {
      if (holds(c->code, span)) code = c->code;
    } else {
      code = unit_for(c->code, time - least);
      for (uint32_t i = 0; i < c->rows; ++i) code = unit_for(code, times[i] - least);
      code = code_for(code, least, greatest);
    }
  }
  // Into a raw code they are written on the way, even where it takes no more room.
  if (code == TimeCode::kRaw ||
      times_bytes(code, c->capacity) != times_bytes(c->code, c->capacity)) {
    const uint32_t heap = has_strings_ ? c->load<uint32_t>(heap_offset(*c) + 4) : 0;
    c = *chunk = reshape(c, {c->capacity, c->flags, code, heap}, bytes);
  }
  c->code = code;
  if (code == TimeCode::kRaw) return;
  c->base = least;
  for (uint32_t i = 0; i < c->rows; ++i) store_time(c, i, times[i]);
}

// The times of all rows, into an allocation that may have more room or a wider code. Of a narrow
// code that becomes one of 48 bits they are written anew by recode_times().
void ChunkLayout::copy_times(const Chunk& from, Chunk* to) {
  const size_t at = sizeof(Chunk);
  if (to->code == TimeCode::kRaw && from.code != TimeCode::kRaw) {
    for (uint32_t i = 0; i < from.rows; ++i) to->store(at + 8 * i, from.time(i));
  } else if (to->code == TimeCode::kRaw) {
    std::memcpy(to->at(at), from.at(at), size_t{8} * from.rows);
  } else {
    std::memcpy(to->at(at), from.at(at), size_t{4} * from.rows);
    if (from.code == TimeCode::kMicros48) {
      std::memcpy(to->at(to->high_offset(0)), from.at(from.high_offset(0)), size_t{2} * from.rows);
    }
  }
}

// The heap offset of `text`, shared with an equal string of the same column among the last
// `look_back` rows.
uint32_t ChunkLayout::intern(Chunk* chunk, uint32_t column, std::string_view text,
                             uint32_t look_back) const {
  const size_t cells = value_offset(*chunk, column);
  const size_t heap = heap_offset(*chunk);
  const auto is_text = [&](uint32_t entry) {
    if (chunk->load<uint32_t>(heap + kHeapHeader + entry) != text.size()) return false;
    if (text.empty()) return true;
    // Names and numbers often differ in the end alone.
    const auto* held = reinterpret_cast<const char*>(chunk->at(heap + kHeapHeader + entry + 4));
    return held[text.size() - 1] == text.back() && std::memcmp(held, text.data(), text.size()) == 0;
  };
  const uint32_t first = chunk->rows - std::min<uint32_t>(chunk->rows, look_back);
  for (uint32_t i = chunk->rows; i-- > first;) {
    const auto entry = chunk->load<uint32_t>(cells + 4 * i);
    if (is_text(entry)) return entry;
  }
  const auto used = chunk->load<uint32_t>(heap);
  chunk->store(heap + kHeapHeader + used, static_cast<uint32_t>(text.size()));
  std::copy(text.begin(), text.end(), chunk->at(heap + kHeapHeader + used + 4));
  chunk->store(heap, static_cast<uint32_t>(used + 4 + text.size()));
  return used;
}

int64_t ChunkLayout::number_at(const Chunk& chunk, uint32_t column, uint32_t row) const {
  switch (types_[column]) {
    case ColumnType::kDouble:
      return order_key(doubles(chunk, column)[row]);
    case ColumnType::kBool:
      return static_cast<int64_t>(bool_bits(chunk, column) >> row & 1);
    default:
      return int_at(chunk, column, row);
  }
}

std::string_view ChunkLayout::string_at(const Chunk& chunk, uint32_t column, uint32_t row) const {
  const size_t entry = heap_offset(chunk) + kHeapHeader +
                       chunk.load<uint32_t>(value_offset(chunk, column) + 4 * row);
  return {reinterpret_cast<const char*>(chunk.at(entry + 4)), chunk.load<uint32_t>(entry)};
}

bool ChunkLayout::heavy(const Chunk& chunk) const {
  return has_strings_ && chunk.load<uint32_t>(heap_offset(chunk)) >= kHeavyHeap;
}

Chunk* ChunkLayout::build(std::span<const RowRef> rows, StateBytes* bytes) const {
  ASSERT(!rows.empty() && rows.size() <= kChunkRows);
  Shape shape{capacity_for(rows.size()), Chunk::kSorted, TimeCode::kSeconds, 0};
  TimeUs times[kChunkRows];
  uint64_t text = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    times[i] = rows[i].chunk->time(rows[i].row);
    shape.flags |= rows[i].chunk->flags & Chunk::kNulls;
    int64_t delta;
    // The rows are sorted: the first is the base, the last is the farthest.
    if (!subtract(times[i], times[0], &delta)) {
      shape.code = TimeCode::kRaw;
    } else if (shape.code != TimeCode::kRaw) {
      shape.code = unit_for(shape.code, delta);
    }
    for (uint32_t c = 0; has_strings_ && c < types_.size(); ++c) {
      if (storage_of(types_[c]) == Storage::kStrings) {
        text += 4 + string_at(*rows[i].chunk, c, rows[i].row).size();
      }
    }
  }
  if (shape.code != TimeCode::kRaw) {
    shape.code = code_for(shape.code, times[0], times[rows.size() - 1]);
  }
  ASSERT(text <= kHeapLimit);
  shape.heap = static_cast<uint32_t>(text);
  Chunk* out = allocate(shape, bytes);
  out->base = times[0];
  for (uint32_t i = 0; i < rows.size(); ++i) {
    if (out->code == TimeCode::kRaw) {
      out->store(sizeof(Chunk) + 8 * i, times[i]);
    } else {
      store_time(out, i, times[i]);
    }
  }
  for (uint32_t c = 0; c < types_.size(); ++c) build_column(rows, c, out);
  for (uint32_t f = 0; f < filters_; ++f) {
    for (uint32_t i = 0; i < rows.size(); ++i) {
      if ((filter_bits(*rows[i].chunk, f) >> rows[i].row & 1) != 0) set_bit(out, f, i);
    }
  }
  out->rows = static_cast<uint8_t>(rows.size());
  return out;
}

void ChunkLayout::build_column(std::span<const RowRef> rows, uint32_t column, Chunk* out) const {
  const size_t offset = value_offset(*out, column);
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const Chunk& from = *rows[i].chunk;
    const uint32_t at = rows[i].row;
    switch (types_[column]) {
      case ColumnType::kBool:
        if ((bool_bits(from, column) >> at & 1) != 0) set_bit(out, bool_bitmap_[column], i);
        break;
      case ColumnType::kInt32:
        out->store(offset + 4 * i, from.load<uint32_t>(value_offset(from, column) + 4 * at));
        break;
      case ColumnType::kString:
      case ColumnType::kBytes:
      case ColumnType::kJson:
      case ColumnType::kDecimal:
      case ColumnType::kList:
      case ColumnType::kStruct:
      case ColumnType::kMap:
        out->rows = static_cast<uint8_t>(i);  // intern() looks at the rows before this one
        out->store(offset + 4 * i, intern(out, column, string_at(from, column, at), kChunkRows));
        break;
      default:
        out->store(offset + 8 * i, from.load<uint64_t>(value_offset(from, column) + 8 * at));
    }
    if (from.has_nulls() && (load_bitmap(from, null_bitmap(column)) >> at & 1) != 0) {
      set_bit(out, null_bitmap(column), i);
    }
  }
}

void ChunkLayout::sort(const Chunk& chunk, std::vector<RowRef>* out) const {
  out->clear();
  for (uint32_t i = 0; i < chunk.rows; ++i) out->push_back({&chunk, i});
  if (chunk.sorted()) return;
  TimeUs times[kChunkRows];
  for (uint32_t i = 0; i < chunk.rows; ++i) times[i] = chunk.time(i);
  std::sort(out->begin(), out->end(), [&](const RowRef& a, const RowRef& b) {
    if (times[a.row] != times[b.row]) return times[a.row] < times[b.row];
    return compare(a, b) < 0;
  });
}

int ChunkLayout::compare(const RowRef& a, const RowRef& b) const {
  if (const int order = compare_ints(a.chunk->time(a.row), b.chunk->time(b.row))) return order;
  for (uint32_t c = 0; c < types_.size(); ++c) {
    if (const int order = compare_column(a, b, c)) return order;
  }
  for (uint32_t f = 0; f < filters_; ++f) {
    const bool in_a = (filter_bits(*a.chunk, f) >> a.row & 1) != 0;
    const bool in_b = (filter_bits(*b.chunk, f) >> b.row & 1) != 0;
    if (in_a != in_b) return in_a ? 1 : -1;
  }
  return 0;
}

int ChunkLayout::compare_column(const RowRef& a, const RowRef& b, uint32_t column) const {
  const int order = compare_values(a, b, column);
  if (order != 0 || types_[column] != ColumnType::kDouble) return order;
  // Only NaNs are left to differ, in their bits.
  return compare_ints(std::bit_cast<int64_t>(doubles(*a.chunk, column)[a.row]),
                      std::bit_cast<int64_t>(doubles(*b.chunk, column)[b.row]));
}

int ChunkLayout::compare_values(const RowRef& a, const RowRef& b, uint32_t column) const {
  const bool valid_a = (valid_bits(*a.chunk, column) >> a.row & 1) != 0;
  const bool valid_b = (valid_bits(*b.chunk, column) >> b.row & 1) != 0;
  if (valid_a != valid_b) return valid_a ? -1 : 1;
  switch (types_[column]) {
    case ColumnType::kBool:
      return static_cast<int>(bool_bits(*a.chunk, column) >> a.row & 1) -
             static_cast<int>(bool_bits(*b.chunk, column) >> b.row & 1);
    case ColumnType::kBytes:
    case ColumnType::kJson:
    case ColumnType::kDecimal:
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
    case ColumnType::kString: {
      const int order =
          string_at(*a.chunk, column, a.row).compare(string_at(*b.chunk, column, b.row));
      return compare_ints(order, 0);
    }
    case ColumnType::kDouble: {
      const double x = doubles(*a.chunk, column)[a.row];
      const double y = doubles(*b.chunk, column)[b.row];
      return compare_ints(order_key(x), order_key(y));
    }
    default:
      return compare_ints(int_at(*a.chunk, column, a.row), int_at(*b.chunk, column, b.row));
  }
}

uint64_t ChunkLayout::time_mask(const Chunk& chunk, TimeUs first, TimeUs last) {
  if (chunk.sorted()) {
    const uint32_t begin = rows_before(chunk, [&](TimeUs t) { return t < first; });
    const uint32_t end = rows_before(chunk, [&](TimeUs t) { return t <= last; });
    return begin < end ? first_rows(end) & ~first_rows(begin) : 0;
  }
  uint64_t mask = 0;
  for (uint32_t i = 0; i < chunk.rows; ++i) {
    const TimeUs t = chunk.time(i);
    mask |= static_cast<uint64_t>(first <= t && t <= last) << i;
  }
  return mask;
}

TimeUs ChunkLayout::max_time(const Chunk& chunk) {
  if (chunk.sorted()) return chunk.time(chunk.rows - 1u);
  TimeUs greatest = kMinTime;
  for (uint32_t i = 0; i < chunk.rows; ++i) greatest = std::max(greatest, chunk.time(i));
  return greatest;
}

uint64_t ChunkLayout::load_bitmap(const Chunk& chunk, uint32_t bitmap) const {
  const size_t offset = bitmap_offset(chunk, bitmap);
  switch (bitmap_bytes(chunk.capacity)) {
    case 1:
      return chunk.load<uint8_t>(offset);
    case 2:
      return chunk.load<uint16_t>(offset);
    case 4:
      return chunk.load<uint32_t>(offset);
    case 8:
      return chunk.load<uint64_t>(offset);
    default: {
      uint64_t bits = 0;
      std::memcpy(&bits, chunk.at(offset), bitmap_bytes(chunk.capacity));
      return bits;
    }
  }
}

void ChunkLayout::set_bit(Chunk* chunk, uint32_t bitmap, uint32_t row) const {
  *chunk->at(bitmap_offset(*chunk, bitmap) + row / 8) |= static_cast<uint8_t>(1u << (row % 8));
}

uint64_t ChunkLayout::filter_bits(const Chunk& chunk, uint32_t filter) const {
  return load_bitmap(chunk, filter);
}

uint64_t ChunkLayout::valid_bits(const Chunk& chunk, uint32_t column) const {
  return chunk.has_nulls() ? ~load_bitmap(chunk, null_bitmap(column)) : ~uint64_t{0};
}

uint64_t ChunkLayout::bool_bits(const Chunk& chunk, uint32_t column) const {
  return load_bitmap(chunk, bool_bitmap_[column]);
}

void ChunkLayout::prefetch_push(const Chunk& chunk) const {
  const uint32_t at = chunk.rows;
  __builtin_prefetch(chunk.at(sizeof(Chunk) + at * (chunk.code == TimeCode::kRaw ? 8 : 4)), 1);
  if (chunk.code == TimeCode::kMicros48) __builtin_prefetch(chunk.at(chunk.high_offset(at)), 1);
  for (uint32_t c = 0; c < std::min<size_t>(types_.size(), 4); ++c) {
    __builtin_prefetch(chunk.at(value_offset(chunk, c) + at * 8), 1);
  }
  if (plain_bitmaps_ != 0) __builtin_prefetch(chunk.at(bitmap_offset(chunk, 0)), 1);
}

}  // namespace tidemill
