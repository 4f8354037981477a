// Lines of dead letters: what is read in part and in whole says the same key, and survives its
// round trip.
#include "shared/dead_letter/letter_line.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

void check(std::string_view line) {
  const auto head = parse_letter_head(line);
  const auto letter = parse_letter_line(line);
  if (!letter) return;
  ASSERT(head && head->key.offset == letter->offset && head->key.view == letter->view &&
         head->reason == letter->reason);
  if (letter->message.size() > kLetterMessageBytes || letter->bytes.size() > kBadRecordBytes)
    return;
  std::string written;
  append_letter_line(*letter, &written);
  ASSERT(written.find('\n') == written.size() - 1);
  const auto again = parse_letter_line(std::string_view(written).substr(0, written.size() - 1));
  ASSERT(again && again->offset == letter->offset && again->view == letter->view &&
         again->source == letter->source && again->message == letter->message &&
         again->bytes == letter->bytes && again->size == letter->size &&
         again->source_partition == letter->source_partition &&
         again->partition == letter->partition);
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto bytes = fuzz::copy_of(data, size);
  const std::string_view text = fuzz::text_of(bytes.data(), bytes.size());
  fuzz::check(text.substr(0, text.find('\n')));
  return 0;
}
