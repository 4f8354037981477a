// Key images, one after the other, into a state that is then used. A refused one changes nothing.
#include "tests/fuzz/every_type_tables.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

std::vector<uint8_t> all_images(const PartitionState& state) {
  ByteWriter out;
  for (size_t slot = 0; slot < state.slot_count(); ++slot) {
    if (state.slot_changed_since(slot, 0)) state.encode_image(slot, &out);
  }
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
    const auto before = fuzz::all_images(state);
    if (state.apply_image(&in, 1).ok()) continue;
    ASSERT(fuzz::all_images(state) == before);
    break;
  }
  fuzz::use(state);
  return 0;
}
