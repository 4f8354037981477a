#include "shared/nested/nested_value.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "shared/base/assert.h"
#include "shared/base/decimal.h"

namespace tidemill {
namespace {

constexpr uint64_t kSign = uint64_t{1} << 63;

size_t whole_size(ColumnType kind) {
  return kind == ColumnType::kInt32 || kind == ColumnType::kDate ? 4 : 8;
}

// Of highest significance first, so that bytes are ordered as the numbers are.
void put_big_endian(uint64_t value, size_t size, std::string* out) {
  for (size_t i = size; i-- > 0;) out->push_back(static_cast<char>(value >> (8 * i)));
}
uint64_t big_endian(std::string_view raw) {
  uint64_t value = 0;
  for (const char c : raw) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

void put_number(uint32_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}

uint64_t bits_of(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  const auto bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

void put_bits(const std::vector<uint8_t>& nulls, size_t first, size_t step, std::string* out) {
  uint8_t byte = 0;
  size_t count = 0;
  for (size_t i = first; i < nulls.size(); i += step) {
    byte |= static_cast<uint8_t>((nulls[i] != 0 ? 1u : 0u) << (count % 8));
    if (++count % 8 != 0) continue;
    out->push_back(static_cast<char>(byte));
    byte = 0;
  }
  if (count % 8 != 0) out->push_back(static_cast<char>(byte));
}

}  // namespace

std::string_view NestedInput::raw(size_t size) {
  if (size > rest_.size()) {
    fail();
    return {};
  }
  const std::string_view out = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return out;
}

uint32_t NestedInput::number() {
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const std::string_view byte = raw(1);
    if (byte.empty()) return 0;
    const auto bits = static_cast<uint8_t>(byte[0]);
    value |= uint64_t{bits & 0x7fu} << shift;
    if (bits >= 0x80) continue;
    const bool shortest = bits != 0 || shift == 0;
    if (!shortest || value > UINT32_MAX) break;
    return static_cast<uint32_t>(value);
  }
  fail();
  return 0;
}

const char* NestedInput::bits(uint32_t count) {
  const std::string_view out = raw((count + 7) / 8);
  if (out.empty()) return nullptr;
  if (count % 8 != 0 && static_cast<uint8_t>(out.back()) >> (count % 8) != 0) {
    fail();
    return nullptr;
  }
  return out.data();
}

NestedInput::Items NestedInput::items() {
  const uint32_t head = number();
  Items out{.count = head >> 1};
  const bool has_nulls = (head & 1) != 0;
  // Without nulls, each takes a byte at least: no few bytes make many items.
  if (out.count > kMaxNestedItems || (!has_nulls && out.count > rest_.size()) ||
      (has_nulls && out.count == 0)) {
    fail();
  }
  if (ok_ && has_nulls) out.null_bits = bits(out.count);
  return ok_ ? out : Items();
}

NestedInput::Items NestedInput::fields(size_t count) {
  Items out{.count = static_cast<uint32_t>(count)};
  out.null_bits = bits(out.count);
  return ok_ ? out : Items();
}

bool NestedInput::boolean() {
  const std::string_view byte = raw(1);
  if (byte.empty()) return false;
  if (byte[0] != 0 && byte[0] != 1) fail();
  return byte[0] == 1;
}

int64_t NestedInput::whole(ColumnType kind) {
  const std::string_view bytes = raw(whole_size(kind));
  if (bytes.size() == 4) {
    return static_cast<int32_t>(static_cast<uint32_t>(big_endian(bytes)) ^ (1u << 31));
  }
  return bytes.empty() ? 0 : static_cast<int64_t>(big_endian(bytes) ^ kSign);
}

double NestedInput::real() {
  const std::string_view bytes = raw(sizeof(double));
  if (bytes.empty()) return 0;
  const uint64_t bits = big_endian(bytes);
  return std::bit_cast<double>((bits & kSign) != 0 ? bits & ~kSign : ~bits);
}

std::string_view NestedInput::text() { return raw(number()); }

std::string_view NestedInput::take(const NestedType& type) {
  const std::string_view before = rest_;
  skip(type);
  return ok_ ? before.substr(0, before.size() - rest_.size()) : std::string_view();
}

void NestedInput::skip(const NestedType& type, int depth) {
  if (depth > kMaxNestedDepth) return fail();
  switch (type.kind) {
    case ColumnType::kBool:
      raw(1);
      return;
    case ColumnType::kInt32:
    case ColumnType::kInt64:
    case ColumnType::kDate:
    case ColumnType::kTimestamp:
      raw(whole_size(type.kind));
      return;
    case ColumnType::kDouble:
      raw(sizeof(double));
      return;
    case ColumnType::kList: {
      const Items all = items();
      for (uint32_t i = 0; i < all.count && ok_; ++i) {
        if (!all.is_null(i)) skip(type.element(), depth + 1);
      }
      return;
    }
    case ColumnType::kMap: {
      const Items all = items();
      for (uint32_t i = 0; i < all.count && ok_; ++i) {
        skip(type.key(), depth + 1);
        if (!all.is_null(i)) skip(type.value(), depth + 1);
      }
      return;
    }
    case ColumnType::kStruct: {
      const Items all = fields(type.fields.size());
      for (uint32_t i = 0; i < all.count && ok_; ++i) {
        if (!all.is_null(i)) skip(type.fields[i].type, depth + 1);
      }
      return;
    }
    default:
      text();
  }
}

void NestedWriter::clear() {
  depth_ = 0;
  if (levels_.empty()) levels_.resize(1);
  levels_[0].clear();
}

void NestedWriter::begin() {
  ++depth_;
  if (levels_.size() <= depth_) levels_.resize(depth_ + 1);
  levels_[depth_].clear();
}

// The level that ends, taken out so that its items can go into the one around it.
NestedWriter::Level NestedWriter::end() {
  ASSERT(depth_ > 0);
  return std::move(levels_[depth_--]);
}
void NestedWriter::give_back(Level level) { levels_[depth_ + 1] = std::move(level); }

std::string& NestedWriter::item(bool null) {
  Level& level = levels_[depth_];
  level.begins.push_back(static_cast<uint32_t>(level.body.size()));
  level.nulls.push_back(null ? 1 : 0);
  return level.body;
}

// What stands before the items: every step-th of the nulls counts, from the last of the first step
// on.
void NestedWriter::put_items(const Level& level, uint32_t count, size_t step) {
  bool any = false;
  for (size_t i = step - 1; i < level.nulls.size(); i += step) any = any || level.nulls[i] != 0;
  std::string& out = item(false);
  put_number(count << 1 | (any ? 1u : 0u), &out);
  if (any) put_bits(level.nulls, step - 1, step, &out);
}

void NestedWriter::end_list() {
  Level level = end();
  put_items(level, static_cast<uint32_t>(level.nulls.size()), 1);
  levels_[depth_].body += level.body;
  give_back(std::move(level));
}

void NestedWriter::end_struct() {
  Level level = end();
  std::string& out = item(false);
  put_bits(level.nulls, 0, 1, &out);
  out += level.body;
  give_back(std::move(level));
}

bool NestedWriter::end_map(const NestedType& key, uint32_t* twice) {
  Level level = end();
  const auto count = static_cast<uint32_t>(level.nulls.size() / 2);
  level.begins.push_back(static_cast<uint32_t>(level.body.size()));
  const auto part = [&](uint32_t item) {
    return std::string_view(level.body)
        .substr(level.begins[item], level.begins[item + 1] - level.begins[item]);
  };
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  std::stable_sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
    return compare_keys(key, part(2 * a), part(2 * b)) < 0;
  });
  bool good = true;
  for (uint32_t i = 1; i < count && good; ++i) {
    good = compare_keys(key, part(2 * order_[i - 1]), part(2 * order_[i])) != 0;
    if (!good && twice != nullptr) *twice = order_[i];
  }
  Level sorted;
  for (const uint32_t entry : order_) {
    sorted.nulls.push_back(0);
    sorted.nulls.push_back(level.nulls[2 * entry + 1]);
    sorted.body += part(2 * entry);
    sorted.body += part(2 * entry + 1);
  }
  put_items(sorted, count, 2);
  levels_[depth_].body += sorted.body;
  give_back(std::move(level));
  return good;
}

void NestedWriter::null() { item(true); }
void NestedWriter::boolean(bool value) { item(false).push_back(value ? 1 : 0); }
void NestedWriter::whole(ColumnType kind, int64_t value) {
  if (whole_size(kind) == 4) {
    return put_big_endian(static_cast<uint32_t>(value) ^ (1u << 31), 4, &item(false));
  }
  put_big_endian(static_cast<uint64_t>(value) ^ kSign, 8, &item(false));
}
void NestedWriter::real(double value) { put_big_endian(bits_of(value), 8, &item(false)); }
void NestedWriter::text(std::string_view value) {
  std::string& out = item(false);
  put_number(static_cast<uint32_t>(value.size()), &out);
  out += value;
}
void NestedWriter::encoded(std::string_view bytes) { item(false) += bytes; }

void read_item(const NestedType& type, std::string_view bytes, Column* out, size_t row) {
  NestedInput in(bytes);
  out->nulls[row] = 0;
  if (type.kind == ColumnType::kDecimal) {
    out->decimals[row] = decode_decimal(in.text()).value_or(Decimal());
    return;
  }
  switch (storage_of(type.kind)) {
    case Storage::kBits:
      out->bools[row] = in.boolean() ? 1 : 0;
      return;
    case Storage::kInts:
      out->ints[row] = in.whole(type.kind);
      return;
    case Storage::kDoubles:
      out->doubles[row] = in.real();
      return;
    default:
      out->strings[row] = is_nested(type.kind) ? bytes : in.text();
  }
}

bool write_item(const NestedType& type, const Column& column, size_t row, NestedWriter* out) {
  if (column.nulls[row] != 0) {
    out->null();
    return true;
  }
  if (type.kind == ColumnType::kDecimal) {
    Decimal value;
    if (!fit(column.decimals[row], DecimalType{type.precision, type.scale}, &value)) return false;
    char bytes[kMaxDecimalEncoding];
    out->text({bytes, encode_decimal(value, bytes)});
    return true;
  }
  switch (storage_of(type.kind)) {
    case Storage::kBits:
      out->boolean(column.bools[row] != 0);
      break;
    case Storage::kInts:
      out->whole(type.kind, column.ints[row]);
      break;
    case Storage::kDoubles:
      out->real(column.doubles[row]);
      break;
    default:
      if (is_nested(type.kind)) {
        out->encoded(column.strings[row]);
      } else {
        out->text(column.strings[row]);
      }
  }
  return true;
}

int compare_keys(const NestedType& type, std::string_view a, std::string_view b) {
  if (storage_of(type.kind) != Storage::kStrings) return a.compare(b);
  return NestedInput(a).text().compare(NestedInput(b).text());
}

}  // namespace tidemill
