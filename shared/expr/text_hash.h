// Hashes of text that PostgreSQL's functions give too, so that ids made there and here agree.
#pragma once

#include <cstdint>
#include <string_view>

namespace tidemill {

// hashtextextended(): Bob Jenkins' lookup3 (public domain) as PostgreSQL's hash_bytes_extended()
// applies it, on little-endian machines.
int64_t lookup3_hash(std::string_view bytes, int64_t seed);

// The 32 hexadecimal digits of MD5 (RFC 1321), into `digits`.
void md5_digits(std::string_view bytes, char* digits);

}  // namespace tidemill
