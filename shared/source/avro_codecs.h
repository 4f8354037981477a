// How the blocks of Avro files are compressed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace tidemill {

enum class AvroCodec : uint8_t { kNull, kDeflate, kSnappy, kZstandard };

// Of a header's avro.codec.
std::optional<AvroCodec> avro_codec(std::string_view name);

inline constexpr size_t kMaxAvroBlockBytes = 64u << 20;  // compressed, and decompressed

// kCorrupt: the bytes are not of the codec, or hold more than kMaxAvroBlockBytes.
Result<std::string> decompress_avro(AvroCodec codec, std::string_view bytes);

}  // namespace tidemill
