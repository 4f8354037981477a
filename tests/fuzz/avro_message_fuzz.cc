// Avro schemas, and records of them.
#include "tests/fuzz/input.h"
#include "tests/fuzz/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  const auto [text, record] = fuzz::schema_and_record(fuzz::text_of(data, size));
  auto schema = AvroSchema::parse(text);
  if (!schema.ok()) return 0;
  static const proto::Source source = fuzz::message_source();
  auto decoder = make_avro_decoder(std::move(*schema), source);
  if (decoder.ok()) fuzz::decode_twice(decoder->get(), source, record);
  return 0;
}
