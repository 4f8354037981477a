// Values of keys in the files of a state: row runs and images. The first byte chooses the table.
// What is accepted becomes an image, and that must be one.
#include "shared/state/state_value.h"
#include "tests/fuzz/every_type_tables.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  if (size == 0) return 0;
  const auto bytes = fuzz::copy_of(data + 1, size - 1);
  const auto table = static_cast<uint16_t>(data[0] % 2);
  const TimeUs horizon = data[0] < 128 ? kMinTime : 1'522'540'800'000'000;
  std::string nothing;
  put_part(PartKind::kRun, {}, &nothing);  // behind it nothing is taken as it is
  const std::string_view values[] = {fuzz::text_of(bytes.data(), bytes.size()), nothing};
  ValueMerger merger(fuzz::every_type_tables());
  const auto left = merger.merge(table, horizon, values);
  if (!left.ok() || !*left) return 0;
  ByteWriter body;
  merger.append_body(&body);
  std::string image;
  put_part(PartKind::kImage, body.bytes(), &image);
  const std::string_view again[] = {image, nothing};
  const auto same = merger.merge(table, horizon, again);
  ASSERT(same.ok() && *same);
  ByteWriter encoded;
  merger.append_body(&encoded);
  ASSERT(encoded.bytes() == body.bytes());
  return 0;
}
