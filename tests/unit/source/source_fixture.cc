#include "tests/unit/source/source_fixture.h"

#include <rapidcheck.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "shared/source/record_parser.h"

namespace tidemill::test {
namespace {

std::string value_text(const Column& column, size_t row) {
  if (column.nulls[row] != 0) return "null";
  char text[40];
  switch (column.type) {
    case ColumnType::kBool:
      return column.bools[row] != 0 ? "true" : "false";
    case ColumnType::kDouble:
      std::snprintf(text, sizeof(text), "%.17g", column.doubles[row]);
      return text;
    case ColumnType::kString:
    case ColumnType::kBytes:
    case ColumnType::kJson:
    case ColumnType::kList:
    case ColumnType::kStruct:
    case ColumnType::kMap:
      return "'" + std::string(column.strings[row]) + "'";
    case ColumnType::kDecimal:
      return decimal_bytes_to_string(column.strings[row]);
    case ColumnType::kTimestamp:
      return format_timestamp(column.ints[row]);
    default:
      return std::to_string(column.ints[row]);
  }
}

void check_sizes(const EventBatch& batch) {
  for (const Column& column : batch.columns) {
    EXPECT_EQ(column.nulls.size(), batch.rows());
    const size_t values =
        column.bools.size() + column.ints.size() + column.doubles.size() + column.strings.size();
    EXPECT_EQ(values, batch.rows());
  }
}

void add_batch(const EventBatch& batch, Events* events) {
  check_sizes(batch);
  for (size_t row = 0; row < batch.rows(); ++row) {
    std::vector<std::string> values;
    for (const Column& column : batch.columns) values.push_back(value_text(column, row));
    EXPECT_GE(batch.offsets[row], batch.begin_offset);
    EXPECT_LT(batch.offsets[row], batch.end_offset);
    if (row > 0) {
      EXPECT_LT(batch.offsets[row - 1], batch.offsets[row]);
    }
    EXPECT_TRUE(events->rows.emplace(batch.offsets[row], values).second);
  }
  for (const BadRecord& bad : batch.bad) {
    EXPECT_GE(bad.offset, batch.begin_offset);
    EXPECT_LT(bad.offset, batch.end_offset);
    EXPECT_TRUE(events->bad.emplace(bad.offset, bad.message + " | " + bad.bytes).second);
  }
}

void add_field(const char* name, proto::ColumnType type, proto::Source* source) {
  proto::Field* field = source->add_schema();
  field->set_name(name);
  field->set_type(type);
}

}  // namespace

TemporaryFile::TemporaryFile(std::string_view content) {
  std::string name = testing::TempDir() + "tidemill_source_XXXXXX";
  const int fd = ::mkstemp(name.data());
  if (fd >= 0) ::close(fd);
  path_ = name;
  write(content);
}

TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

void TemporaryFile::write(std::string_view content) const {
  std::ofstream out(path_, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

TemporaryDirectory::TemporaryDirectory() {
  path_ = testing::TempDir() + "tidemill_source_XXXXXX";
  EXPECT_NE(::mkdtemp(path_.data()), nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void TemporaryDirectory::write(const std::string& name, std::string_view content) const {
  std::ofstream out(path(name), std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  EXPECT_TRUE(out.good());
}

void TemporaryDirectory::append(const std::string& name, std::string_view content) const {
  std::ofstream out(path(name), std::ios::binary | std::ios::app);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  EXPECT_TRUE(out.good());
}

void TemporaryDirectory::rename(const std::string& from, const std::string& to) const {
  EXPECT_EQ(::rename(path(from).c_str(), path(to).c_str()), 0);
}

void TemporaryDirectory::remove(const std::string& name) const {
  EXPECT_EQ(::unlink(path(name).c_str()), 0);
}

std::string gzip(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

proto::Source sample_source(proto::FilesInput::Format format, const std::string& path) {
  proto::Source source;
  source.set_name("samples");
  add_field("id", proto::INT64, &source);
  add_field("at", proto::TIMESTAMP, &source);
  add_field("name", proto::STRING, &source);
  add_field("amount", proto::DOUBLE, &source);
  add_field("ok", proto::BOOL, &source);
  add_field("n", proto::INT32, &source);
  source.set_event_time_field(1);
  source.mutable_files()->set_format(format);
  source.mutable_files()->add_paths(path);
  return source;
}

proto::Source generator_source(const proto::GeneratorInput& input) {
  proto::Source source;
  source.set_name("transactions");
  add_field("transaction_id", proto::INT64, &source);
  add_field("event_time", proto::TIMESTAMP, &source);
  add_field("customer_id", proto::STRING, &source);
  add_field("terminal_id", proto::STRING, &source);
  add_field("amount", proto::DOUBLE, &source);
  add_field("is_fraud", proto::BOOL, &source);
  source.set_event_time_field(1);
  *source.mutable_generator() = input;
  return source;
}

proto::GeneratorInput sample_generator() {
  proto::GeneratorInput input;
  input.set_seed(7);
  input.set_partitions(2);
  input.set_events(3000);
  input.set_customers(500);
  input.set_terminals(10'000);
  input.set_zipf_exponent(1.0);
  input.set_start_time_us(1'522'540'800'000'000);
  input.set_events_per_second(50);
  input.set_late_share(0.05);
  input.set_late_by_us(3600 * kMicrosPerSecond);
  input.set_tie_share(0.1);
  input.set_burst_share(0.05);
  input.set_burst_factor(8);
  input.set_malformed_share(0.02);
  input.set_fraud_share(0.02);
  return input;
}

Result<Events> read_all(const proto::Source& source, uint64_t offset, ReadSize size,
                        uint32_t partition) {
  auto cursor = SourceCursor::open(source, partition, offset, {});
  if (!cursor.ok()) return cursor.error();
  Events events;
  events.begin = offset;
  uint64_t at = offset;
  EventBatch batch;
  do {
    const Status status = (*cursor)->read(size.records, size.bytes, &batch);
    if (!status.ok()) return status.error();
    EXPECT_EQ(batch.begin_offset, at);
    EXPECT_LE(batch.rows() + batch.bad.size(), size.records);
    EXPECT_TRUE(batch.finished || batch.end_offset > at) << "no progress at " << at;
    if (!batch.finished && batch.end_offset <= at) break;
    add_batch(batch, &events);
    at = batch.end_offset;
  } while (!batch.finished);
  events.end = at;
  return events;
}

Result<Events> read_text(proto::FilesInput::Format format, std::string_view content,
                         uint64_t offset, ReadSize size) {
  const TemporaryFile file(content);
  return read_all(sample_source(format, file.path()), offset, size);
}

Result<Events> read_messages(const proto::Source& source,
                             const std::vector<std::string>& messages) {
  auto parser = make_message_parser(source);
  if (!parser.ok()) return parser.error();
  const std::vector<std::string_view> views(messages.begin(), messages.end());
  if (const auto prepared = (*parser)->prepare(views); !prepared.ok()) return prepared.error();
  EventBatch batch;
  BatchWriter writer(source.schema(), 0, messages.size(), &batch);
  std::vector<std::string> texts = messages;  // they may be changed
  for (size_t i = 0; i < texts.size(); ++i) {
    const size_t size = texts[i].size();
    texts[i].resize(size + kWindowPadding);
    (*parser)->parse_message({texts[i].data(), size, i, true}, &writer);
  }
  writer.finish(messages.size(), true);
  Events events;
  add_batch(batch, &events);
  events.end = messages.size();
  return events;
}

proto::Source source_with(const std::vector<NamedType>& columns) {
  proto::Source source;
  source.set_name("records");
  for (const auto& [name, type] : columns) add_field(name, type, &source);
  source.set_event_time_field(1);
  return source;
}

std::string golden_record_file(const std::string& name) {
  const std::string path = "tests/golden/records/" + name;
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string from_hex(std::string_view hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

std::vector<std::string> golden_records(const std::string& name) {
  std::vector<std::string> out;
  std::istringstream lines(golden_record_file(name));
  for (std::string line; std::getline(lines, line);) out.push_back(from_hex(line));
  return out;
}

void any_bytes_are_an_event_or_a_dead_letter(const proto::Source& source,
                                             const std::vector<std::string>& records) {
  std::string record = records[*rc::gen::inRange<size_t>(0, records.size())];
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
    record[*rc::gen::inRange<size_t>(0, record.size())] = *rc::gen::arbitrary<char>();
  }
  record.resize(*rc::gen::inRange<size_t>(0, record.size() + 1));
  if (*rc::gen::inRange(0, 4) == 0) record = *rc::gen::string<std::string>();
  const auto events = read_messages(source, {record, records[0]});
  RC_ASSERT(events.ok());
  RC_ASSERT(events->rows.size() + events->bad.size() == 2);
  RC_ASSERT(events->rows.count(1) == 1);
}

Events tail(Events events, uint64_t offset) {
  events.begin = offset;
  events.rows.erase(events.rows.begin(), events.rows.lower_bound(offset));
  events.bad.erase(events.bad.begin(), events.bad.lower_bound(offset));
  return events;
}

}  // namespace tidemill::test
