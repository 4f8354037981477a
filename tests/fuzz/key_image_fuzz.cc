// Key images, one after the other, into a state that is then used. A refused one changes nothing.
#include "tests/fuzz/every_type_tables.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

std::vector<uint8_t> whole(const PartitionState& state) {
  ByteWriter out;
  state.serialize(&out);
  return out.take();
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto bytes = fuzz::copy_of(data, size);
  PartitionState state(fuzz::every_type_tables());
  ByteReader in(bytes);
  while (in.remaining() > 0) {
    const auto before = fuzz::whole(state);
    if (state.apply_image(&in, 1).ok()) continue;
    ASSERT(fuzz::whole(state) == before);
    break;
  }
  fuzz::use(state);
  return 0;
}
