#include "shared/state/sst_identity.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "shared/base/hash.h"

namespace tidemill {
namespace {

constexpr size_t kIdentityChars = 20;
constexpr size_t kTrailerBytes = 5;  // u8 compression (0: none), u32 checksum
constexpr std::string_view kPropertiesName = "rocksdb.properties";
// The end of "rocksdb.creating.session.identity": what names share with the one before is left out.
constexpr std::string_view kIdentityName = "session.identity";
constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool take_varint(std::string_view* in, uint64_t* value) {
  *value = 0;
  for (int shift = 0; shift < 63 && !in->empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in->front());
    in->remove_prefix(1);
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Of a block that is not compressed: the lower half of XXH3 over its bytes.
uint32_t block_checksum(const char* block, size_t bytes) {
  return static_cast<uint32_t>(XXH3_64bits(block, bytes));
}

}  // namespace

std::string session_identity(std::string_view name) {
  std::string out;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    uint64_t bits = hash_bytes(name, seed);
    for (size_t i = 0; i < kIdentityChars / 2; ++i, bits /= kDigits.size()) {
      out.push_back(kDigits[bits % kDigits.size()]);
    }
  }
  return out;
}

void replace_session_identity(uint64_t begin, std::string_view identity, std::string* tail) {
  // The metaindex block, behind the properties, says where they are.
  const size_t name = tail->rfind(kPropertiesName);
  if (name == std::string::npos) return;
  std::string_view handle = std::string_view(*tail).substr(name + kPropertiesName.size());
  uint64_t offset;
  uint64_t bytes;
  if (!take_varint(&handle, &offset) || !take_varint(&handle, &bytes)) return;
  if (offset < begin || offset - begin > name || bytes > name - (offset - begin)) return;
  char* const block = tail->data() + (offset - begin);
  if (offset - begin + bytes + kTrailerBytes > tail->size()) return;
  uint32_t stored;
  std::memcpy(&stored, block + bytes + 1, sizeof stored);
  if (block[bytes] != 0 || stored != block_checksum(block, bytes)) return;
  const size_t at = std::string_view(block, bytes).find(kIdentityName);
  if (at == std::string_view::npos) return;
  char* const value = block + at + kIdentityName.size();
  if (value + kIdentityChars > block + bytes ||
      std::string_view(value, kIdentityChars).find_first_not_of(kDigits) !=
          std::string_view::npos) {
    return;
  }
  std::memcpy(value, identity.data(), kIdentityChars);
  const uint32_t checksum = block_checksum(block, bytes);
  std::memcpy(block + bytes + 1, &checksum, sizeof checksum);
}

}  // namespace tidemill
