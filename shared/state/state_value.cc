#include "shared/state/state_value.h"

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
  out->push_back(static_cast<char>(kind));
  size_t bytes = body.size();
  for (; bytes >= 0x80; bytes >>= 7) out->push_back(static_cast<char>(bytes | 0x80));
  out->push_back(static_cast<char>(bytes));
  out->append(reinterpret_cast<const char*>(body.data()), body.size());
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

Result<std::span<const uint8_t>> ValueMerger::merge(uint16_t table, TimeUs horizon,
                                                    std::span<const std::string_view> values) {
  parts_.clear();
  for (const std::string_view value : values) {
    if (Status collected = collect(value); !collected) return collected.error();
  }
  if (Status begun = merger_.begin(table, horizon); !begun) return begun.error();
  if (parts_.size() == 1 && parts_[0].kind == PartKind::kImage &&
      merger_.keeps_all(parts_[0].body)) {
    return parts_[0].body;  // most keys of a state, when few have changed
  }
  for (const Part& part : parts_) {
    const Status added =
        part.kind == PartKind::kRun ? merger_.add_run(part.body) : merger_.replace(part.body);
    if (!added) return added.error();
  }
  body_.clear();
  if (!merger_.gone()) merger_.encode_body(&body_);
  return std::span<const uint8_t>(body_.bytes());
}

Result<std::span<const uint8_t>> ValueMerger::nothing(uint16_t table, TimeUs horizon) {
  if (Status begun = merger_.begin(table, horizon); !begun) return begun.error();
  body_.clear();
  merger_.encode_body(&body_);
  return std::span<const uint8_t>(body_.bytes());
}

}  // namespace tidemill
