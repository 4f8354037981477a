// What S3 servers answer, and names of objects.
#include "shared/snapshot/object_name.h"
#include "shared/snapshot/s3_answers.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const std::string_view text = fuzz::text_of(data, size);
  if (const auto page = parse_s3_listing(text); page.ok()) {
    for (const S3Listing::Entry& entry : page->entries) {
      ASSERT(!entry.key.empty());
      if (is_object_name(entry.key)) ASSERT(entry.key.find("..") != 0);
    }
  }
  const S3Fault fault = parse_s3_fault(text);
  ASSERT(fault.code.size() <= 300 && fault.message.size() <= 300);
  if (const auto id = parse_s3_upload_id(text); id.ok()) ASSERT(!id->empty());
  return 0;
}
