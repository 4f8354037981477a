// Values of Kafka records: the first byte says the format, JSON or CSV without a header, the rest
// is one record. It is one event or one bad record, and the same beside others as alone.
#include "shared/source/record_parser.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

const proto::Source& source() {
  static const proto::Source source = [] {
    proto::Source out;
    out.set_name("samples");
    for (int type = proto::BOOL; type <= proto::JSON; ++type) {
      proto::Field* field = out.add_schema();
      field->set_name("c" + std::to_string(type));
      field->set_type(static_cast<proto::ColumnType>(type));
      if (type == proto::TIMESTAMP) out.set_event_time_field(static_cast<uint32_t>(type - 1));
    }
    out.mutable_kafka();
    return out;
  }();
  return source;
}

// What a row or a bad record is, as text that compares.
std::string text_of_row(const EventBatch& batch, size_t row) {
  std::string out;
  for (const Column& column : batch.columns) {
    out += column.nulls[row] != 0 ? " null" : " ";
    if (column.nulls[row] != 0) continue;
    if (!column.bools.empty()) out += column.bools[row] != 0 ? "t" : "f";
    if (!column.ints.empty()) out += std::to_string(column.ints[row]);
    if (!column.doubles.empty()) out.append(reinterpret_cast<const char*>(&column.doubles[row]), 8);
    if (!column.strings.empty()) out += column.strings[row];
  }
  return out;
}

void check_same(RecordParser* parser, std::string_view record) {
  constexpr size_t kCopies = 3;
  std::vector<std::string> texts(kCopies, std::string(record));
  EventBatch batch;
  BatchWriter writer(source().schema(), 0, kCopies, &batch);
  for (size_t i = 0; i < kCopies; ++i) {
    texts[i].resize(record.size() + kWindowPadding);
    parser->parse_message({texts[i].data(), record.size(), i, true}, &writer);
    ASSERT(writer.records() == i + 1);
  }
  writer.finish(kCopies, true);
  ASSERT(batch.rows() == kCopies || batch.bad.size() == kCopies);
  for (size_t i = 1; i < batch.rows(); ++i) {
    ASSERT(text_of_row(batch, i) == text_of_row(batch, 0));
  }
  for (const BadRecord& bad : batch.bad) ASSERT(!bad.message.empty());
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  if (size == 0) return 0;
  auto parser = data[0] % 2 == 0 ? make_ndjson_parser(fuzz::source())
                                 : make_csv_message_parser(fuzz::source(), {});
  ASSERT(parser.ok());
  fuzz::check_same(parser->get(), fuzz::text_of(data + 1, size - 1));
  return 0;
}
