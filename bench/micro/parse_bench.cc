// What it costs to read events of one source partition: NDJSON and CSV files in the page cache,
// also compressed, messages in JSON, Avro and Protobuf, and the generator. Items are events.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <bit>

#include "bench/micro/harness.h"
#include "bench/micro/inputs.h"
#include "shared/source/message_parser.h"
#include "shared/source/source_cursor.h"
#include "shared/source/transaction_writer.h"

namespace tidemill::micro {
namespace {

constexpr size_t kBatchRecords = 1 << 16;
constexpr size_t kBatchBytes = 8 << 20;

// Reads the source to its end, into one batch.
void read_source(benchmark::State& state, const proto::Source& source, uint64_t events) {
  EventBatch batch;
  measure(state, events, [&] {
    const auto cursor = check(SourceCursor::open(source, 0, 0, {}));
    do {
      check(cursor->read(kBatchRecords, kBatchBytes, &batch));
      ASSERT(batch.bad.empty());
    } while (!batch.finished);
  });
}

void read_file(benchmark::State& state, proto::FilesInput::Format format, bool compressed) {
  const auto events = static_cast<uint64_t>(state.range(0));
  const TransactionFile file(format, events, compressed);
  read_source(state, file.source(), events);
}

void parse_ndjson(benchmark::State& state) { read_file(state, proto::FilesInput::NDJSON, false); }
void parse_csv(benchmark::State& state) { read_file(state, proto::FilesInput::CSV, false); }
void parse_csv_gzip(benchmark::State& state) { read_file(state, proto::FilesInput::CSV, true); }
BENCHMARK(parse_ndjson)->Arg(4'000)->Arg(500'000)->Unit(benchmark::kMillisecond);
BENCHMARK(parse_csv)->Arg(4'000)->Arg(500'000)->Unit(benchmark::kMillisecond);
BENCHMARK(parse_csv_gzip)->Arg(500'000)->Unit(benchmark::kMillisecond);

void read_generator(benchmark::State& state) {
  const auto events = static_cast<uint64_t>(state.range(0));
  read_source(state, transactions(events), events);
}
BENCHMARK(read_generator)->Arg(500'000)->Unit(benchmark::kMillisecond);

void write_csv(benchmark::State& state) {
  const auto events = static_cast<uint64_t>(state.range(0));
  const auto generator = check(TransactionGenerator::create(transactions(events).generator(), 0));
  TransactionWriter writer(generator);
  std::string text;
  measure(state, events, [&] {
    text.clear();
    for (uint64_t offset = 0; offset < events; ++offset) writer.append_csv(offset, &text);
  });
}
BENCHMARK(write_csv)->Arg(10'000);

// --- messages of a topic
// --------------------------------------------------------------------------

void put_varint(uint64_t value, std::string* out) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}
void put_double(double value, std::string* out) {
  const auto bits = std::bit_cast<uint64_t>(value);
  for (int shift = 0; shift < 64; shift += 8) out->push_back(static_cast<char>(bits >> shift));
}
void put_text(std::string_view text, std::string* out) {
  put_varint(text.size(), out);
  out->append(text);
}

constexpr const char* kAvroSchema = R"({"type": "record", "name": "Transaction", "fields": [
  {"name": "transaction_id", "type": "long"},
  {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-micros"}},
  {"name": "customer_id", "type": "string"},
  {"name": "terminal_id", "type": "string"},
  {"name": "amount", "type": "double"},
  {"name": "is_fraud", "type": "boolean"}]})";

std::string avro_message(const EventBatch& batch, size_t row) {
  const auto zigzag = [](int64_t value) {
    return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  };
  std::string out;
  put_varint(zigzag(batch.columns[0].ints[row]), &out);
  put_varint(zigzag(batch.columns[1].ints[row]), &out);
  for (const size_t column : {2, 3}) {
    const std::string_view text = batch.columns[column].strings[row];
    put_varint(zigzag(static_cast<int64_t>(text.size())), &out);
    out.append(text);
  }
  put_double(batch.columns[4].doubles[row], &out);
  out.push_back(static_cast<char>(batch.columns[5].bools[row]));
  return out;
}

// Fields are numbered from 1 in the order of the columns.
std::string protobuf_schema() {
  using Field = google::protobuf::FieldDescriptorProto;
  constexpr Field::Type types[] = {Field::TYPE_INT64,  Field::TYPE_MESSAGE, Field::TYPE_STRING,
                                   Field::TYPE_STRING, Field::TYPE_DOUBLE,  Field::TYPE_BOOL};
  google::protobuf::FileDescriptorSet set;
  google::protobuf::Timestamp::descriptor()->file()->CopyTo(set.add_file());
  google::protobuf::FileDescriptorProto* file = set.add_file();
  file->set_name("bench.proto");
  file->set_package("bench");
  file->set_syntax("proto3");
  file->add_dependency("google/protobuf/timestamp.proto");
  google::protobuf::DescriptorProto* message = file->add_message_type();
  message->set_name("Transaction");
  for (int i = 0; i < 6; ++i) {
    Field* field = message->add_field();
    field->set_name(transaction_schema()[static_cast<size_t>(i)].name());
    field->set_number(i + 1);
    field->set_label(Field::LABEL_OPTIONAL);
    field->set_type(types[i]);
    if (types[i] == Field::TYPE_MESSAGE) field->set_type_name(".google.protobuf.Timestamp");
  }
  return set.SerializeAsString();
}

std::string protobuf_message(const EventBatch& batch, size_t row) {
  google::protobuf::Timestamp time;
  time.set_seconds(batch.columns[1].ints[row] / kMicrosPerSecond);
  time.set_nanos(static_cast<int32_t>(batch.columns[1].ints[row] % kMicrosPerSecond) * 1000);
  std::string out = "\x08";  // a tag: the field's number times 8, and how its value is written
  put_varint(static_cast<uint64_t>(batch.columns[0].ints[row]), &out);
  out += "\x12";
  put_text(time.SerializeAsString(), &out);
  out += "\x1a";
  put_text(batch.columns[2].strings[row], &out);
  out += "\x22";
  put_text(batch.columns[3].strings[row], &out);
  out += "\x29";
  put_double(batch.columns[4].doubles[row], &out);
  if (batch.columns[5].bools[row] != 0) out += std::string("\x30\x01");
  return out;
}

std::vector<std::string> messages_of(proto::KafkaInput::Format format, uint64_t events) {
  std::vector<std::string> messages;
  if (format == proto::KafkaInput::JSON) {
    const auto generator = check(TransactionGenerator::create(transactions(events).generator(), 0));
    TransactionWriter writer(generator);
    for (uint64_t i = 0; i < events; ++i) writer.append_json(i, &messages.emplace_back());
    return messages;
  }
  const EventBatch batch = transaction_batch(events);
  for (size_t row = 0; row < events; ++row) {
    messages.push_back(format == proto::KafkaInput::AVRO ? avro_message(batch, row)
                                                         : protobuf_message(batch, row));
  }
  return messages;
}

// As a topic is read: values copied one behind the other, then parsed one by one.
void parse_messages(benchmark::State& state, proto::KafkaInput::Format format) {
  const auto events = static_cast<uint64_t>(state.range(0));
  proto::Source source = transactions(events);
  source.mutable_kafka()->set_format(format);
  if (format == proto::KafkaInput::AVRO) source.mutable_kafka()->set_message_schema(kAvroSchema);
  if (format == proto::KafkaInput::PROTOBUF) {
    source.mutable_kafka()->set_message_schema(protobuf_schema());
    source.mutable_kafka()->set_message_type("bench.Transaction");
  }
  const std::vector<std::string> messages = messages_of(format, events);
  const std::vector<std::string_view> views(messages.begin(), messages.end());
  const auto parser = check(make_message_parser(source));
  EventBatch batch;
  measure(state, events, [&] {
    BatchWriter writer(source.schema(), 0, events, &batch);
    ASSERT(check(parser->prepare(views)) == events);
    size_t bytes = 0;
    for (const std::string_view view : views) bytes += view.size() + kWindowPadding;
    batch.text.resize(bytes);
    char* at = batch.text.data();
    for (uint64_t i = 0; i < events; ++i) {
      std::copy(views[i].begin(), views[i].end(), at);
      parser->parse_message({at, views[i].size(), i, true}, &writer);
      at += views[i].size() + kWindowPadding;
    }
    writer.finish(events, true);
    ASSERT(batch.rows() == events);
  });
}
BENCHMARK_CAPTURE(parse_messages, json, proto::KafkaInput::JSON)->Arg(4'000);
BENCHMARK_CAPTURE(parse_messages, avro, proto::KafkaInput::AVRO)->Arg(4'000);
BENCHMARK_CAPTURE(parse_messages, protobuf, proto::KafkaInput::PROTOBUF)->Arg(4'000);

}  // namespace
}  // namespace tidemill::micro
