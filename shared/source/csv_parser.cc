// CSV as in RFC 4180: fields between commas, a field in quotes may hold commas, newlines and
// doubled quotes. The header names the columns; those the schema does not know are skipped.
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "shared/base/assert.h"
#include "shared/base/calendar.h"
#include "shared/base/json_text.h"
#include "shared/source/nested_columns.h"
#include "shared/source/record_parser.h"
#include "shared/source/values.h"

namespace tidemill {
namespace {

constexpr int kIgnored = -1;

const char* find(const char* begin, const char* end, char c) {
  const void* at = std::memchr(begin, c, static_cast<size_t>(end - begin));
  return at == nullptr ? end : static_cast<const char*>(at);
}

// Fields are short: a loop over words of 8 bytes beats a call of memchr. Reads up to 7 bytes past
// `end`, which a window's padding allows.
const char* find_comma(const char* at, const char* end) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  for (; at < end; at += 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof(word));
    word ^= kOnes * ',';
    const uint64_t zeros = (word - kOnes) & ~word & (kOnes << 7);
    if (zeros == 0) continue;
    const char* comma = at + __builtin_ctzll(zeros) / 8;
    return comma < end ? comma : end;
  }
  return end;
}

// The closing quote of a field whose content starts at `at`; `end` if there is none.
const char* closing_quote(const char* at, const char* end) {
  for (;;) {
    at = find(at, end, '"');
    if (at == end || at + 1 == end || at[1] != '"') return at;
    at += 2;
  }
}

// The newline that ends the record at `at`, past those inside quotes; null if `end` comes first.
const char* record_newline(const char* at, const char* end) {
  while (at < end) {
    if (*at == '"') {
      at = closing_quote(at + 1, end);
      if (at == end) return nullptr;
    }
    while (at < end && *at != ',' && *at != '\n') ++at;
    if (at == end) return nullptr;
    if (*at == '\n') return at;
    ++at;
  }
  return nullptr;
}

// Makes one quote of each two in [begin, end); returns the new end.
char* undouble_quotes(char* begin, char* end) {
  char* out = begin;
  for (char* in = begin; in < end; ++in) {
    *out++ = *in;
    if (*in == '"') ++in;
  }
  return out;
}

struct CsvField {
  std::string_view text;
  bool quoted = false;
};

class CsvParser : public RecordParser {
 public:
  explicit CsvParser(const proto::Source& source) : source_(source), nested_(source) {
    for (const proto::Field& field : source.schema()) has_bytes_ |= field.type() == proto::BYTES;
  }

  // Reads the header: which field goes to which column.
  Result<size_t> read_header(std::string_view head);
  // The same of messages, which have none.
  Status assign_fields(const google::protobuf::RepeatedField<uint32_t>& fields);
  void parse_message(const Window& message, BatchWriter* writer) override;

 protected:
  void begin_window(const Window& window) override;
  Extent extent(const Window& window, size_t begin, Extent line) override;
  void parse_record(char* begin, size_t size, uint64_t offset, BatchWriter* writer) override;

 private:
  // Takes the field at *at and moves *at behind it; false if text follows its closing quote.
  bool next_field(char** at, char* end, CsvField* field) const;
  bool set_value(int column, const CsvField& field, BatchWriter* writer);
  Status assign_columns(const std::vector<std::string>& names);
  std::string wrong_field_count(size_t fields) const;

  proto::Source source_;
  NestedColumns nested_;
  std::string nested_fault_;
  std::vector<int> column_of_field_;  // kIgnored: not in the schema
  bool has_header_ = false;
  TimestampParser timestamps_;
  bool has_quotes_ = true;   // somewhere in the window
  bool valid_utf8_ = false;  // all complete lines of the window
  TimeUs event_time_ = 0;
  bool has_event_time_ = false;
  std::string head_;  // of a record with quotes, as it was before they were undone
  std::string scratch_;
  bool has_bytes_ = false;  // which are written over their text
};

void CsvParser::begin_window(const Window& window) {
  size_t complete = window.size;
  if (!window.at_end) {
    const void* last = memrchr(window.data, '\n', window.size);
    complete =
        last == nullptr ? 0 : static_cast<size_t>(static_cast<const char*>(last) - window.data);
  }
  has_quotes_ = std::memchr(window.data, '"', window.size) != nullptr;
  valid_utf8_ = simdjson::validate_utf8(window.data, complete);
}

RecordParser::Extent CsvParser::extent(const Window& window, size_t begin, Extent line) {
  const char* from = window.data + begin;
  if (line.end - begin >= kDecidingBytes) return line;
  if (!has_quotes_ || find(from, window.data + line.end, '"') == window.data + line.end) {
    return line;
  }
  const size_t seen = std::min(window.size - begin, kDecidingBytes);
  const char* newline = record_newline(from, from + seen);
  if (newline != nullptr) {
    const auto end = static_cast<size_t>(newline - window.data);
    return {Extent::Kind::kRecord, end, end + 1};
  }
  if (seen < kDecidingBytes && !window.at_end) return {Extent::Kind::kPartial, 0, 0};
  if (seen < kDecidingBytes) {
    // The file ends: without a newline, or inside quotes.
    const char* at = from;
    const char* end = from + seen;
    while (at < end) {
      if (*at == '"') at = closing_quote(at + 1, end);
      if (at == end) return {Extent::Kind::kOpenQuote, line.end, line.next};
      at = find(at, end, ',') + 1;
    }
    return {Extent::Kind::kRecord, window.size, window.size};
  }
  return {Extent::Kind::kOpenQuote, line.end, line.next};
}

bool CsvParser::next_field(char** at, char* end, CsvField* field) const {
  char* begin = *at;
  if (begin == end || *begin != '"') {
    char* comma = const_cast<char*>(find_comma(begin, end));
    *field = {{begin, static_cast<size_t>(comma - begin)}, false};
    *at = comma;
    return true;
  }
  ++begin;
  char* quote = const_cast<char*>(closing_quote(begin, end));
  *at = quote == end ? end : quote + 1;
  if (quote == end || (*at < end && **at != ',')) return false;
  char* text_end = quote;
  if (find(begin, quote, '"') != quote) text_end = undouble_quotes(begin, quote);
  *field = {{begin, static_cast<size_t>(text_end - begin)}, true};
  return true;
}

void CsvParser::parse_record(char* begin, size_t size, uint64_t offset, BatchWriter* writer) {
  std::string_view record{begin, size};
  if (has_bytes_ || (has_quotes_ && record.find('"') != std::string_view::npos)) {
    head_.assign(record.substr(0, kBadRecordBytes));
    record = head_;
  }
  has_event_time_ = false;
  char* at = begin;
  char* end = begin + size;
  size_t fields = 0;
  for (;;) {
    CsvField field;
    if (!next_field(&at, end, &field)) {
      return writer->bad(offset, BadReason::kUnparsable,
                         "field " + std::to_string(fields + 1) +
                             " has text behind its closing quote; write a quote inside a quoted "
                             "field twice",
                         record, size);
    }
    if (fields < column_of_field_.size()) {
      const int column = column_of_field_[fields];
      if (column != kIgnored && !set_value(column, field, writer)) {
        std::string why = std::exchange(nested_fault_, {});
        if (why.empty()) why = bad_value(source_.schema(column), field.text);
        return writer->bad(offset, BadReason::kUnparsable, std::move(why), record, size);
      }
    }
    ++fields;
    if (at == end) break;
    ++at;
  }
  if (fields != column_of_field_.size()) {
    return writer->bad(offset, BadReason::kUnparsable, wrong_field_count(fields), record, size);
  }
  if (!has_event_time_) {
    const auto column = static_cast<int>(source_.event_time_field());
    return writer->bad(offset, BadReason::kUnparsable, missing_event_time(source_.schema(column)),
                       record, size);
  }
  std::string refused = refuse_event_time(source_, event_time_, latest_event_time());
  if (!refused.empty())
    return writer->bad(offset, BadReason::kFuture, std::move(refused), record, size);
  writer->commit(offset);
}

bool CsvParser::set_value(int column, const CsvField& field, BatchWriter* writer) {
  const auto index = static_cast<size_t>(column);
  const proto::ColumnType type = source_.schema(column).type();
  if (field.text.empty() && !(field.quoted && type == proto::STRING)) {
    writer->set_null(index);
    return true;
  }
  bool truth = false;
  int64_t number = 0;
  double real = 0;
  switch (type) {
    case proto::BOOL:
      if (!parse_bool(field.text, &truth)) return false;
      writer->set_bool(index, truth);
      return true;
    case proto::INT32:
    case proto::INT64:
      if (!parse_int64(field.text, &number)) return false;
      if (type == proto::INT32 && !fits_int32(number)) return false;
      writer->set_int(index, number);
      return true;
    case proto::TIMESTAMP:
      if (!timestamps_.parse(field.text, &number)) return false;
      writer->set_int(index, number);
      if (index == source_.event_time_field()) {
        has_event_time_ = true;
        event_time_ = number;
      }
      return true;
    case proto::DOUBLE:
      if (!parse_double(field.text, &real)) return false;
      writer->set_double(index, real);
      return true;
    case proto::DATE:
      if (!parse_date(field.text, &number)) return false;
      writer->set_int(index, number);
      return true;
    case proto::BYTES:
      return set_bytes(index, field.text, &scratch_, writer);
    case proto::DECIMAL:
      return set_decimal(index, field.text, writer);
    case proto::LIST:
    case proto::STRUCT:
    case proto::MAP:
      if (field.text == "null") {
        writer->set_null(index);
        return true;
      }
      nested_fault_ = nested_.set(index, field.text, writer);
      return nested_fault_.empty();
    default:
      if (!valid_utf8_ && !simdjson::validate_utf8(field.text.data(), field.text.size())) {
        return false;
      }
      if (type == proto::JSON && !is_valid_json(field.text)) return false;
      writer->set_string(index, field.text);
      return true;
  }
}

std::string CsvParser::wrong_field_count(size_t fields) const {
  return "the record has " + std::to_string(fields) + (fields == 1 ? " field" : " fields") +
         (has_header_ ? "; the header names " : "; the source has ") +
         std::to_string(column_of_field_.size());
}

Result<size_t> CsvParser::read_header(std::string_view head) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  const size_t mark = head.substr(0, 3) == kByteOrderMark ? 3 : 0;
  const char* begin = head.data() + mark;
  const char* end = head.data() + head.size();
  const char* newline = record_newline(begin, end);
  if (newline == nullptr && head.size() >= kDecidingBytes) {
    return user_error("the header line is longer than 1 MB; is this a CSV file?");
  }
  if (newline == nullptr) newline = end;
  const size_t header_bytes = static_cast<size_t>(newline - head.data()) + (newline == end ? 0 : 1);
  std::string line(begin, newline);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) {
    return user_error("the first line is empty; the first line of a CSV file names its columns");
  }
  std::vector<std::string> names;
  const size_t size = line.size();
  line.resize(size + kWindowPadding);
  char* at = line.data();
  for (;;) {
    CsvField field;
    if (!next_field(&at, line.data() + size, &field)) {
      return user_error("the header line has a quote that is not closed, or text behind one");
    }
    names.emplace_back(field.text);
    if (at == line.data() + size) break;
    ++at;
  }
  Status assigned = assign_columns(names);
  if (!assigned.ok()) return assigned.error();
  return header_bytes;
}

Status CsvParser::assign_columns(const std::vector<std::string>& names) {
  has_header_ = true;
  std::string listed;
  for (const std::string& name : names) {
    listed += (listed.empty() ? "" : ", ") + printable(name, 100);
    int column = kIgnored;
    for (int i = 0; i < source_.schema_size(); ++i) {
      if (source_.schema(i).name() == name) column = i;
    }
    for (const int other : column_of_field_) {
      if (column != kIgnored && other == column) {
        return user_error("the header line names column '" + name + "' twice");
      }
    }
    column_of_field_.push_back(column);
  }
  for (int i = 0; i < source_.schema_size(); ++i) {
    bool found = false;
    for (const int column : column_of_field_) found = found || column == i;
    if (!found) {
      return user_error("the header line does not name column '" + source_.schema(i).name() +
                        "' of the schema; it names: " + printable(listed, 1000));
    }
  }
  return {};
}

Status CsvParser::assign_fields(const google::protobuf::RepeatedField<uint32_t>& fields) {
  if (fields.empty()) {
    for (int i = 0; i < source_.schema_size(); ++i) column_of_field_.push_back(i);
    return {};
  }
  std::vector<uint8_t> found(static_cast<size_t>(source_.schema_size()), 0);
  for (const uint32_t field : fields) {
    if (field >= found.size()) return user_error("a field of the records is not in the schema");
    if (found[field]++ != 0) {
      return user_error("column '" + source_.schema(static_cast<int>(field)).name() +
                        "' is named twice in 'columns'");
    }
    column_of_field_.push_back(static_cast<int>(field));
  }
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i] != 0) continue;
    return user_error("'columns' does not name column '" +
                      source_.schema(static_cast<int>(i)).name() + "' of the schema");
  }
  return {};
}

void CsvParser::parse_message(const Window& message, BatchWriter* writer) {
  begin_window(message);
  size_t size = message.size;
  if (size > 0 && message.data[size - 1] == '\n') --size;
  if (size > 0 && message.data[size - 1] == '\r') --size;
  if (record_newline(message.data, message.data + size) != nullptr) {
    return writer->bad(message.offset, BadReason::kUnparsable,
                       "the message has more than one line; write one record a message",
                       {message.data, message.size});
  }
  parse_record(message.data, size, message.offset, writer);
}

}  // namespace

Result<std::unique_ptr<RecordParser>> make_csv_message_parser(
    const proto::Source& source, const google::protobuf::RepeatedField<uint32_t>& fields) {
  auto parser = std::make_unique<CsvParser>(source);
  if (Status assigned = parser->assign_fields(fields); !assigned.ok()) return assigned.error();
  return std::unique_ptr<RecordParser>(std::move(parser));
}

Result<std::unique_ptr<RecordParser>> make_csv_parser(const proto::Source& source,
                                                      std::string_view head,
                                                      uint64_t* header_bytes) {
  auto parser = std::make_unique<CsvParser>(source);
  Result<size_t> bytes = parser->read_header(head);
  if (!bytes.ok()) return bytes.error();
  *header_bytes = *bytes;
  return std::unique_ptr<RecordParser>(std::move(parser));
}

}  // namespace tidemill
