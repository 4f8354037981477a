// .proto text, and messages of its first type.
#include "tests/fuzz/input.h"
#include "tests/fuzz/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto [text, record] = fuzz::schema_and_record(fuzz::text_of(data, size));
  const auto schema = ProtobufSchema::from_text(text, {});
  if (!schema.ok()) return 0;
  const int64_t first = 0;
  const auto type = (*schema)->message(std::span(&first, 1));
  if (!type.ok()) return 0;
  static const proto::Source source = fuzz::message_source();
  const auto decoder = make_protobuf_decoder(*type, source);
  fuzz::decode_twice(decoder.get(), source, record);
  return 0;
}
