// Random messages' parts, and random damage to their bytes.
#pragma once

#include <rapidcheck.h>

#include "shared/base/buffer.h"
#include "shared/wire/offset_vector.h"

namespace tidemill::test {

inline SourcePosition any_position() {
  return {*rc::gen::arbitrary<uint64_t>(),
          *rc::gen::arbitrary<int64_t>(),
          *rc::gen::arbitrary<bool>(),
          {*rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>()}};
}

inline OffsetVector any_offsets() {
  OffsetVector out(*rc::gen::inRange<size_t>(0, 5));
  for (SourcePosition& p : out) p = any_position();
  return out;
}

template <typename Id>
Id any_id() {
  return Id(*rc::gen::arbitrary<decltype(Id::value)>());
}

// Some bits flipped, bytes cut off or added; in an allocation of exactly that size.
inline Buffer damaged(const Buffer& message) {
  std::vector<uint8_t> bytes(message.bytes().begin(), message.bytes().end());
  const auto flips = *rc::gen::inRange(0, 5);
  for (int i = 0; i < flips && !bytes.empty(); ++i) {
    bytes[*rc::gen::inRange<size_t>(0, bytes.size())] ^=
        static_cast<uint8_t>(1u << *rc::gen::inRange(0, 8));
  }
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      bytes.resize(*rc::gen::inRange<size_t>(0, bytes.size() + 1));
      break;
    case 1:
      bytes.resize(bytes.size() + *rc::gen::inRange<size_t>(1, 20));
      break;
    default:
      break;
  }
  return Buffer(std::vector<uint8_t>(bytes.begin(), bytes.end()));
}

inline Buffer any_bytes() { return Buffer(*rc::gen::arbitrary<std::vector<uint8_t>>()); }

// Bytes that a decoder takes must mean one thing: what they decode to encodes to the same bytes.
// Only a flag (any byte but 0 is true) has more than one form, hence the second round.
template <typename T>
void check_hostile(const T& message) {
  const Buffer bytes = *rc::gen::inRange(0, 8) == 0 ? any_bytes() : damaged(message.encode());
  const auto decoded = T::decode(bytes);
  if (!decoded.ok()) {
    RC_ASSERT(decoded.error().code() == ErrorCode::kCorrupt);
    return;
  }
  const Buffer again = decoded->encode();
  RC_ASSERT(again.size() == bytes.size());
  const auto twice = T::decode(again);
  RC_ASSERT(twice.ok());
  RC_ASSERT(twice->encode().view() == again.view());
}

}  // namespace tidemill::test
