#include "shared/expr/text_hash.h"

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstring>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

struct Lanes {
  uint32_t a, b, c;

  void mix() {
    a -= c, a ^= std::rotl(c, 4), c += b;
    b -= a, b ^= std::rotl(a, 6), a += c;
    c -= b, c ^= std::rotl(b, 8), b += a;
    a -= c, a ^= std::rotl(c, 16), c += b;
    b -= a, b ^= std::rotl(a, 19), a += c;
    c -= b, c ^= std::rotl(b, 4), b += a;
  }
  void finish() {
    c ^= b, c -= std::rotl(b, 14);
    a ^= c, a -= std::rotl(c, 11);
    b ^= a, b -= std::rotl(a, 25);
    c ^= b, c -= std::rotl(b, 16);
    a ^= c, a -= std::rotl(c, 4);
    b ^= a, b -= std::rotl(a, 14);
    c ^= b, c -= std::rotl(b, 24);
  }
};

}  // namespace

int64_t lookup3_hash(std::string_view bytes, int64_t seed) {
  const uint32_t start = 0x9e3779b9U + static_cast<uint32_t>(bytes.size()) + 3923095U;
  Lanes lanes{start, start, start};
  if (seed != 0) {
    lanes.a += static_cast<uint32_t>(static_cast<uint64_t>(seed) >> 32);
    lanes.b += static_cast<uint32_t>(seed);
    lanes.mix();
  }
  while (bytes.size() >= 12) {
    std::array<uint32_t, 3> words;
    std::memcpy(words.data(), bytes.data(), 12);
    lanes.a += words[0], lanes.b += words[1], lanes.c += words[2];
    lanes.mix();
    bytes.remove_prefix(12);
  }
  // The lowest byte of the last lane is the length's.
  std::array<unsigned char, 12> tail{};
  const size_t of_first = std::min<size_t>(bytes.size(), 8);
  if (of_first > 0) std::memcpy(tail.data(), bytes.data(), of_first);
  if (bytes.size() > 8) std::memcpy(tail.data() + 9, bytes.data() + 8, bytes.size() - 8);
  std::array<uint32_t, 3> words;
  std::memcpy(words.data(), tail.data(), 12);
  lanes.a += words[0], lanes.b += words[1], lanes.c += words[2];
  lanes.finish();
  return static_cast<int64_t>(static_cast<uint64_t>(lanes.b) << 32 | lanes.c);
}

void md5_digits(std::string_view bytes, char* digits) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  ASSERT(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_md5(), nullptr) == 1);
  constexpr std::string_view kHex = "0123456789abcdef";
  for (size_t i = 0; i < 16; ++i) {
    digits[2 * i] = kHex[digest[i] >> 4];
    digits[2 * i + 1] = kHex[digest[i] & 15];
  }
}

}  // namespace tidemill
