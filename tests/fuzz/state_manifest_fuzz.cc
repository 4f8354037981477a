// Manifests of states. The input is the message in one: with length and checksum made good, every
// later check has to hold on its own.
#include "shared/base/hash.h"
#include "shared/state/partition_disk.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  ByteWriter out;
  for (const char c : std::string_view("TMSNAP1\n")) out.put(c);
  out.put_string(fuzz::text_of(data, size));
  out.put(hash_bytes(fuzz::text_of(out.bytes().data(), out.size()), 0));
  const auto manifest = decode_manifest(out.bytes());
  if (manifest.ok()) {
    const auto again = encode_manifest(*manifest);
    const auto decoded = decode_manifest(again);
    ASSERT(decoded.ok() && encode_manifest(*decoded) == again);
    for (const proto::StateFile& file : manifest->files()) {
      ASSERT(file.name().find('/') == std::string::npos);
    }
    ASSERT(from_proto(to_proto(from_proto(manifest->head()))) == from_proto(manifest->head()));
  }
  // As it is, it has no checksum.
  const auto raw = fuzz::copy_of(data, size);
  static_cast<void>(decode_manifest(raw).ok());
  return 0;
}
