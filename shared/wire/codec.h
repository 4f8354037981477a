// What the decoders of this module have in common.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "shared/base/bytes.h"
#include "shared/base/result.h"

namespace tidemill {

// The message, if its bytes were read to their end and no further.
template <typename T>
Result<T> checked_message(const ByteReader& in, T message, const char* name) {
  if (!in.ok() || in.remaining() != 0) return corrupt_error(std::string(name) + ": wrong length");
  return message;
}

// A count of records of `record_bytes` each that the rest of the message can really hold.
inline uint32_t get_count(ByteReader* in, size_t record_bytes) {
  const auto count = in->get<uint32_t>();
  if (count > in->remaining() / record_bytes) in->fail();
  return in->ok() ? count : 0;
}

}  // namespace tidemill
