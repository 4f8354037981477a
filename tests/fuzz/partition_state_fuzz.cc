// Serialized states. The input is what stands between the schema hash and the checksum: with both
// made good, every later check has to hold on its own.
#include "shared/base/hash.h"
#include "tests/fuzz/every_type_tables.h"
#include "tests/fuzz/input.h"

namespace {

constexpr size_t kFrontBytes = 16;  // magic, version, schema hash
constexpr uint64_t kChecksumSeed = 0x53504d54;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  ByteWriter out;
  PartitionState(fuzz::every_type_tables()).serialize(&out);
  std::vector<uint8_t> bytes = out.take();
  bytes.resize(kFrontBytes);
  bytes.insert(bytes.end(), data, data + size);
  out.put_bytes(bytes);
  out.put(hash_bytes(fuzz::text_of(bytes.data(), bytes.size()), kChecksumSeed));
  const auto state = PartitionState::deserialize(fuzz::every_type_tables(), out.bytes());
  if (state.ok()) fuzz::use(*state);
  // As it is, it has no checksum.
  const auto raw = fuzz::copy_of(data, size);
  static_cast<void>(PartitionState::deserialize(fuzz::every_type_tables(), raw).ok());
  return 0;
}
