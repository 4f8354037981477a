// The first frame of every message between processes (docs/formats/transport.md):
//
//    0  u32  magic "TDML"      24  u16  from shard    40  u64  body length
//    4  u16  version           26  u16  from index    48  u64  XXH3 of bytes 0..47
//    6  u16  message type      28  u16  to shard
//    8  u64  from node         30  u16  to index
//   16  u64  to node           32  u64  reserved, 0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "shared/runtime/runtime.h"

namespace tidemill {

inline constexpr uint32_t kWireMagic = 0x4c4d4454;  // "TDML" in memory
inline constexpr uint16_t kWireVersion = 1;
inline constexpr size_t kWireHeaderBytes = 56;

struct WireHeader {
  ActorAddress from;
  ActorAddress to;
  uint16_t type = 0;
  uint64_t body_bytes = 0;
};

using WireHeaderBytes = std::array<uint8_t, kWireHeaderBytes>;

WireHeaderBytes encode_wire_header(const WireHeader& header);

// Nothing if size, magic, version, reserved bytes or checksum are wrong.
std::optional<WireHeader> decode_wire_header(std::span<const uint8_t> bytes);

}  // namespace tidemill
