// NDJSON: one JSON object a line. Fields that the schema does not know are skipped, fields that
// the record lacks are null. Any order of fields is read; the schema's order is read fastest.
// simdjson's own assertions cost a third of its speed. Where its assumptions fail, sanitizers say
// so.
#ifndef NDEBUG
#define NDEBUG
#endif
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "shared/base/calendar.h"
#include "shared/base/json_text.h"
#include "shared/source/nested_columns.h"
#include "shared/source/record_parser.h"
#include "shared/source/values.h"

namespace tidemill {
namespace {

using simdjson::ondemand::value;

static_assert(kWindowPadding >= simdjson::SIMDJSON_PADDING);

constexpr size_t kNoColumn = SIZE_MAX;
constexpr size_t kFirstParserBytes = 4096;

// The text of a value without what surrounds it.
std::string_view trimmed(std::string_view token) {
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') token.remove_suffix(1);
  return token;
}

class NdjsonParser : public RecordParser {
 public:
  explicit NdjsonParser(const proto::Source& source)
      : source_(source), nested_(source), seen_(static_cast<size_t>(source.schema_size())) {
    for (const proto::Field& field : source_.schema()) {
      names_.push_back(field.name() + '"');
    }
  }

 protected:
  void begin_window(const Window& window) override;
  void parse_record(char* begin, size_t size, uint64_t offset, BatchWriter* writer) override;

 private:
  // "" or why the record is bad.
  std::string parse_object(char* begin, size_t size, BatchWriter* writer);
  std::string parse_fields(simdjson::ondemand::object object, BatchWriter* writer);
  std::string parse_field(simdjson::ondemand::field* field, BatchWriter* writer);
  std::string finish_event(BatchWriter* writer);
  // The column of a field; kNoColumn if the schema does not know it.
  size_t column_of(simdjson::ondemand::field* field, simdjson::error_code* error);
  bool set_value(size_t column, value& v, std::string_view token, BatchWriter* writer);
  bool set_text(size_t column, value& v, std::string_view token, BatchWriter* writer);
  bool set_decimal_value(size_t column, value& v, std::string_view token, BatchWriter* writer);
  bool set_json(size_t column, value& v, BatchWriter* writer);
  // The text of a value as it stands in the record.
  bool raw_text(value& v, std::string_view* text);
  // The text of a string, in the window. False if it is not valid. Inline, as most values are such.
  [[gnu::always_inline]] inline bool string_text(value& v, std::string_view token,
                                                 std::string_view* out);
  void keep_head();

  proto::Source source_;
  NestedColumns nested_;
  simdjson::ondemand::parser parser_;
  std::vector<std::string> names_;  // of the columns, each with the quote behind it
  std::vector<uint8_t> seen_;
  size_t seen_count_ = 0;
  size_t next_column_ = 0;  // expected, if the fields have the schema's order
  const char* record_begin_ = nullptr;
  const char* record_end_ = nullptr;
  TimestampParser timestamps_;
  TimeUs event_time_ = 0;
  BadReason bad_reason_{};
  std::string head_;  // of a record with escapes, as it was before they were undone
  std::string scratch_;
};

// For an object that is not closed simdjson finds another error if a '}' stands right behind it.
// That is the record's newline, except at the end of the file, where it would be what the buffer
// held before.
void NdjsonParser::begin_window(const Window& window) {
  if (window.at_end) window.data[window.size] = '\n';
}

void NdjsonParser::parse_record(char* begin, size_t size, uint64_t offset, BatchWriter* writer) {
  head_.clear();
  bad_reason_ = BadReason::kUnparsable;
  std::string message = parse_object(begin, size, writer);
  if (message.empty()) return writer->commit(offset);
  writer->bad(offset, bad_reason_, std::move(message),
              head_.empty() ? std::string_view{begin, size} : head_, size);
}

std::string NdjsonParser::parse_object(char* begin, size_t size, BatchWriter* writer) {
  if (parser_.capacity() < size) {
    const auto error = parser_.allocate(std::bit_ceil(std::max(size, kFirstParserBytes)));
    if (error) return std::string("the record cannot be parsed: ") + simdjson::error_message(error);
  }
  simdjson::ondemand::document document;
  auto error = parser_.iterate(begin, size, size + kWindowPadding).get(document);
  simdjson::ondemand::object object;
  if (!error) error = document.get_object().get(object);
  if (error == simdjson::UTF8_ERROR) return "the record is not valid UTF-8";
  if (error) {
    return std::string("the record is not a JSON object on one line: ") +
           simdjson::error_message(error);
  }
  record_begin_ = begin;
  record_end_ = begin + size;
  std::string reason = parse_fields(object, writer);
  if (!reason.empty()) return reason;
  // No location is left behind the last token.
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return "the record has text behind its JSON object; write one a line";
  return finish_event(writer);
}

std::string NdjsonParser::parse_fields(simdjson::ondemand::object object, BatchWriter* writer) {
  std::fill(seen_.begin(), seen_.end(), 0);
  seen_count_ = 0;
  next_column_ = 0;
  for (auto&& item : object) {
    if (item.error()) {
      return std::string("the record is not valid JSON: ") + simdjson::error_message(item.error());
    }
    // By reference all the way: a copy waits for the stores of the iterator just made.
    std::string reason = parse_field(&item.value_unsafe(), writer);
    if (!reason.empty()) return reason;
  }
  return {};
}

std::string NdjsonParser::parse_field(simdjson::ondemand::field* field, BatchWriter* writer) {
  auto error = simdjson::SUCCESS;
  const size_t column = column_of(field, &error);
  if (error) return std::string("a field name is not valid: ") + simdjson::error_message(error);
  if (column == kNoColumn) return {};
  if (seen_[column] != 0) {
    return "column '" + source_.schema(static_cast<int>(column)).name() +
           "' occurs twice in the record";
  }
  seen_[column] = 1;
  ++seen_count_;
  next_column_ = column + 1;
  value& v = field->value();
  const std::string_view token = trimmed(v.raw_json_token());
  if (nested_.holds(column) && !token.starts_with('n')) {
    std::string_view text;
    if (!raw_text(v, &text)) return bad_value(source_.schema(static_cast<int>(column)), token);
    return nested_.set(column, text, writer);
  }
  if (!set_value(column, v, token, writer)) {
    return bad_value(source_.schema(static_cast<int>(column)), token);
  }
  return {};
}

size_t NdjsonParser::column_of(simdjson::ondemand::field* field, simdjson::error_code* error) {
  const char* key = field->key().raw();
  const auto left = static_cast<size_t>(record_end_ - key);
  const auto is = [&](size_t column) {
    const std::string& name = names_[column];
    return left >= name.size() && std::memcmp(key, name.data(), name.size()) == 0;
  };
  if (next_column_ < names_.size() && is(next_column_)) return next_column_;
  for (size_t column = 0; column < names_.size(); ++column) {
    if (is(column)) return column;
  }
  size_t length = 0;
  while (length < left && key[length] != '"' && key[length] != '\\') ++length;
  if (length < left && key[length] == '"') return kNoColumn;
  std::string_view name;
  *error = field->unescaped_key().get(name);
  for (size_t column = 0; column < names_.size() && !*error; ++column) {
    if (source_.schema(static_cast<int>(column)).name() == name) return column;
  }
  return kNoColumn;
}

bool NdjsonParser::set_value(size_t column, value& v, std::string_view token, BatchWriter* writer) {
  if (token.empty()) return false;
  if (token[0] == 'n') {
    bool is_null = false;
    if (v.is_null().get(is_null) || !is_null) return false;
    writer->set_null(column);
    return true;
  }
  bool truth = false;
  int64_t number = 0;
  double real = 0;
  switch (writer->type(column)) {
    case ColumnType::kBool:
      if (v.get_bool().get(truth)) return false;
      writer->set_bool(column, truth);
      return true;
    case ColumnType::kInt32:
    case ColumnType::kInt64:
      if (v.get_int64().get(number)) return false;
      if (writer->type(column) == ColumnType::kInt32 && !fits_int32(number)) return false;
      writer->set_int(column, number);
      return true;
    case ColumnType::kDouble:
      if (v.get_double().get(real)) return false;
      writer->set_double(column, real);
      return true;
    case ColumnType::kJson:
      return set_json(column, v, writer);
    case ColumnType::kTimestamp:
    case ColumnType::kDate:
    case ColumnType::kBytes:
    case ColumnType::kString:
      return set_text(column, v, token, writer);
    case ColumnType::kDecimal:
      return set_decimal_value(column, v, token, writer);
    default:
      return false;
  }
}

// A number as it is written, digit by digit, or the text of one.
bool NdjsonParser::set_decimal_value(size_t column, value& v, std::string_view token,
                                     BatchWriter* writer) {
  std::string_view text;
  if (token[0] == '"') return string_text(v, token, &text) && set_decimal(column, text, writer);
  return is_valid_json(token) && set_decimal(column, token, writer);
}

bool NdjsonParser::set_text(size_t column, value& v, std::string_view token, BatchWriter* writer) {
  std::string_view text;
  if (!string_text(v, token, &text)) return false;
  if (writer->type(column) == ColumnType::kString) {
    writer->set_string(column, text);
    return true;
  }
  if (writer->type(column) == ColumnType::kBytes) {
    keep_head();
    return set_bytes(column, text, &scratch_, writer);
  }
  if (writer->type(column) == ColumnType::kDate) {
    int64_t days = 0;
    if (!parse_date(text, &days)) return false;
    writer->set_int(column, days);
    return true;
  }
  TimeUs time = 0;
  if (!timestamps_.parse(text, &time)) return false;
  writer->set_int(column, time);
  if (column == source_.event_time_field()) event_time_ = time;
  return true;
}

bool NdjsonParser::raw_text(value& v, std::string_view* text) {
  simdjson::ondemand::json_type type{};
  if (v.type().get(type)) return false;
  if (type == simdjson::ondemand::json_type::object) {
    simdjson::ondemand::object object;
    if (v.get_object().get(object) || object.raw_json().get(*text)) return false;
  } else if (type == simdjson::ondemand::json_type::array) {
    simdjson::ondemand::array array;
    if (v.get_array().get(array) || array.raw_json().get(*text)) return false;
  } else {
    *text = v.raw_json_token();
  }
  *text = trimmed(*text);  // simdjson's ends where the next token begins
  return true;
}

// simdjson skips what it is not asked for without a look at it, so that what is kept is looked at
// here.
bool NdjsonParser::set_json(size_t column, value& v, BatchWriter* writer) {
  std::string_view text;
  if (!raw_text(v, &text) || !is_valid_json(text)) return false;
  writer->set_string(column, text);
  return true;
}

bool NdjsonParser::string_text(value& v, std::string_view token, std::string_view* out) {
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return false;
  *out = token.substr(1, token.size() - 2);
  if (out->find('\\') == std::string_view::npos) {
    simdjson::ondemand::raw_json_string consumed;
    return !v.get_raw_json_string().get(consumed);
  }
  std::string_view plain;
  if (v.get_string().get(plain)) return false;
  keep_head();
  // The parser's own buffer is reused by the next record. Text is never longer than its escapes.
  char* to = const_cast<char*>(out->data());
  std::memcpy(to, plain.data(), plain.size());
  *out = {to, plain.size()};
  return true;
}

// Before the record is written over.
void NdjsonParser::keep_head() {
  if (!head_.empty()) return;
  const auto size = static_cast<size_t>(record_end_ - record_begin_);
  head_.assign(record_begin_, std::min<size_t>(size, kBadRecordBytes));
}

std::string NdjsonParser::finish_event(BatchWriter* writer) {
  if (seen_count_ < seen_.size()) {
    for (size_t column = 0; column < seen_.size(); ++column) {
      if (seen_[column] == 0) writer->set_null(column);
    }
  }
  const size_t time_column = source_.event_time_field();
  if (writer->is_null(time_column)) {
    return missing_event_time(source_.schema(static_cast<int>(time_column)));
  }
  std::string refused = refuse_event_time(source_, event_time_, latest_event_time());
  if (!refused.empty()) bad_reason_ = BadReason::kFuture;
  return refused;
}

}  // namespace

Result<std::unique_ptr<RecordParser>> make_ndjson_parser(const proto::Source& source) {
  return std::unique_ptr<RecordParser>(std::make_unique<NdjsonParser>(source));
}

}  // namespace tidemill
