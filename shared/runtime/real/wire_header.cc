#include "shared/runtime/real/wire_header.h"

#include <cstring>

#include "shared/base/bytes.h"
#include "shared/base/hash.h"

namespace tidemill {
namespace {

constexpr size_t kChecksumAt = 48;

uint64_t checksum(std::span<const uint8_t> header) {
  return hash_bytes({reinterpret_cast<const char*>(header.data()), kChecksumAt}, kWireMagic);
}

template <typename T>
void put(uint8_t*& at, T value) {
  std::memcpy(at, &value, sizeof(value));
  at += sizeof(value);
}

}  // namespace

WireHeaderBytes encode_wire_header(const WireHeader& header) {
  WireHeaderBytes bytes{};
  uint8_t* at = bytes.data();
  put(at, kWireMagic);
  put(at, kWireVersion);
  put(at, header.type);
  put(at, header.from.node.value);
  put(at, header.to.node.value);
  put(at, header.from.actor.shard);
  put(at, header.from.actor.index);
  put(at, header.to.actor.shard);
  put(at, header.to.actor.index);
  put(at, uint64_t{0});
  put(at, header.body_bytes);
  put(at, checksum(bytes));
  ASSERT(at == bytes.data() + bytes.size());
  return bytes;
}

std::optional<WireHeader> decode_wire_header(std::span<const uint8_t> bytes) {
  if (bytes.size() != kWireHeaderBytes) return std::nullopt;
  ByteReader in(bytes);
  if (in.get<uint32_t>() != kWireMagic || in.get<uint16_t>() != kWireVersion) return std::nullopt;
  WireHeader header;
  header.type = in.get<uint16_t>();
  header.from.node.value = in.get<uint64_t>();
  header.to.node.value = in.get<uint64_t>();
  header.from.actor.shard = in.get<uint16_t>();
  header.from.actor.index = in.get<uint16_t>();
  header.to.actor.shard = in.get<uint16_t>();
  header.to.actor.index = in.get<uint16_t>();
  if (in.get<uint64_t>() != 0) return std::nullopt;
  header.body_bytes = in.get<uint64_t>();
  if (in.get<uint64_t>() != checksum(bytes) || !in.ok()) return std::nullopt;
  return header;
}

}  // namespace tidemill
