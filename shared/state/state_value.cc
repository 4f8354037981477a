#include "shared/state/state_value.h"

#include <array>
#include <bit>
#include <cstring>

#include "shared/window/folded_image.h"

namespace tidemill {
namespace {

constexpr size_t kPrefixBytes = sizeof(uint16_t) + sizeof(uint64_t);
constexpr size_t kBytesOfARow = 64;  // as it is taken to have (docs/semantics.md, "Hot keys")

std::span<const uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// What stands before the body of a part.
class PartHead {
 public:
  static constexpr size_t kMostBytes = 11;

  PartHead(PartKind kind, size_t body_bytes) {
    bytes_[count_++] = static_cast<uint8_t>(kind);
    for (; body_bytes >= 0x80; body_bytes >>= 7) {
      bytes_[count_++] = static_cast<uint8_t>(body_bytes | 0x80);
    }
    bytes_[count_++] = static_cast<uint8_t>(body_bytes);
  }
  std::span<const uint8_t> bytes() const { return {bytes_.data(), count_}; }

 private:
  std::array<uint8_t, kMostBytes> bytes_;
  size_t count_ = 0;
};

}  // namespace

void encode_state_key(const StateKeyView& key, std::string* out) {
  out->resize(kPrefixBytes + key.key.size());
  char* at = out->data();
  const uint16_t table = __builtin_bswap16(key.table);
  const uint64_t hash = __builtin_bswap64(key.hash);
  std::memcpy(at, &table, sizeof table);
  std::memcpy(at + sizeof table, &hash, sizeof hash);
  if (!key.key.empty()) std::memcpy(at + kPrefixBytes, key.key.data(), key.key.size());
}

bool decode_state_key(std::string_view bytes, StateKeyView* out) {
  if (bytes.size() < kPrefixBytes) return false;
  uint16_t table;
  uint64_t hash;
  std::memcpy(&table, bytes.data(), sizeof table);
  std::memcpy(&hash, bytes.data() + sizeof table, sizeof hash);
  *out = {__builtin_bswap16(table), __builtin_bswap64(hash), bytes.substr(kPrefixBytes)};
  return true;
}

void put_part(PartKind kind, std::span<const uint8_t> body, std::string* out) {
  const PartHead head(kind, body.size());
  out->append(reinterpret_cast<const char*>(head.bytes().data()), head.bytes().size());
  out->append(reinterpret_cast<const char*>(body.data()), body.size());
}

ByteWriter* PartWriter::begin() {
  bytes_.clear();
  bytes_.reserve(PartHead::kMostBytes);
  return &bytes_;
}

std::string_view PartWriter::finish(PartKind kind) {
  const PartHead head(kind, bytes_.size() - PartHead::kMostBytes);
  const size_t from = PartHead::kMostBytes - head.bytes().size();
  for (size_t i = 0; i < head.bytes().size(); ++i) bytes_.patch(from + i, head.bytes()[i]);
  return {reinterpret_cast<const char*>(bytes_.bytes().data()) + from, bytes_.size() - from};
}

uint64_t image_rows(std::span<const uint8_t> body) {
  ByteReader in(body);
  const auto rows = in.get<uint32_t>();
  return rows == kFoldedMark ? body.size() / kBytesOfARow : rows;
}

// The parts that count: an image makes those before it void.
Status ValueMerger::collect(std::string_view value) {
  ByteReader in(as_bytes(value));
  while (in.remaining() > 0) {
    const auto kind = in.get<uint8_t>();
    uint64_t bytes = 0;
    int shift = 0;
    for (uint8_t byte = 0x80; byte >= 0x80 && in.ok() && shift < 63; shift += 7) {
      byte = in.get<uint8_t>();
      bytes |= static_cast<uint64_t>(byte & 0x7f) << shift;
    }
    const auto body = in.take(bytes);
    if (!in.ok() || (kind != static_cast<uint8_t>(PartKind::kRun) &&
                     kind != static_cast<uint8_t>(PartKind::kImage))) {
      return corrupt_error("a value does not consist of parts");
    }
    if (kind == static_cast<uint8_t>(PartKind::kImage)) parts_.clear();
    parts_.push_back({static_cast<PartKind>(kind), body});
  }
  return {};
}

Result<bool> ValueMerger::merge(uint16_t table, TimeUs horizon,
                                std::span<const std::string_view> values) {
  parts_.clear();
  as_it_is_ = false;
  for (const std::string_view value : values) {
    if (Status collected = collect(value); !collected) return collected.error();
  }
  if (Status begun = merger_.begin(table, horizon); !begun) return begun.error();
  if (parts_.size() == 1 && parts_[0].kind == PartKind::kImage &&
      merger_.keeps_all(parts_[0].body)) {
    as_it_is_ = true;  // most keys of a state, when few have changed
    return true;
  }
  for (const Part& part : parts_) {
    const Status added =
        part.kind == PartKind::kRun ? merger_.add_run(part.body) : merger_.replace(part.body);
    if (!added) return added.error();
  }
  const bool left = !merger_.gone();
  if (!left) merger_.clear();
  return left;
}

void ValueMerger::append_body(ByteWriter* out) {
  if (as_it_is_) {
    out->put_bytes(parts_[0].body);
  } else {
    merger_.encode_body(out);
    merger_.clear();
  }
}

}  // namespace tidemill
