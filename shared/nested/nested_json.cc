#include "shared/nested/nested_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "shared/base/bytes_text.h"
#include "shared/base/calendar.h"
#include "shared/base/decimal.h"
#include "shared/base/json_text.h"
#include "shared/base/utf8.h"
#include "shared/net/json_text.h"

namespace tidemill {
namespace {

constexpr size_t kShownBytes = 60;

bool text_to_whole(std::string_view text, int64_t* out) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, *out);
  return error == std::errc() && at == end;
}

bool text_to_real(std::string_view text, double* out) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, *out);
  if (text.empty() || at != end) return false;
  if (error == std::errc()) return true;
  // Too small rounds to zero or a denormal; too large is refused.
  *out = std::strtod(std::string(text).c_str(), nullptr);
  return std::abs(*out) < 1;
}

bool put_whole(ColumnType kind, int64_t value, NestedWriter* out) {
  using L = std::numeric_limits<int32_t>;
  if (kind == ColumnType::kInt32 && (value < L::min() || value > L::max())) return false;
  out->whole(kind, value);
  return true;
}

bool put_decimal(const NestedType& type, std::string_view text, NestedWriter* out) {
  Decimal value;
  if (parse_decimal(text, DecimalType{type.precision, type.scale}, &value) != DecimalText::kGood) {
    return false;
  }
  char bytes[kMaxDecimalEncoding];
  out->text({bytes, encode_decimal(value, bytes)});
  return true;
}

bool put_bytes(std::string_view text, NestedWriter* out) {
  std::string bytes(text.size(), '\0');
  const std::optional<size_t> size = text_to_bytes(text, bytes.data());
  if (!size.has_value()) return false;
  out->text(std::string_view(bytes).substr(0, *size));
  return true;
}

bool put_bool(std::string_view text, NestedWriter* out) {
  if (text != "true" && text != "false") return false;
  out->boolean(text == "true");
  return true;
}

// Text and JSON of values.
class JsonPrinter {
 public:
  JsonPrinter(JsonDoubles doubles, std::string* out) : doubles_(doubles), out_(*out) {}

  void value(const NestedType& type, NestedInput* in) {
    switch (type.kind) {
      case ColumnType::kList:
        return list(type, in);
      case ColumnType::kMap:
        return map(type, in);
      case ColumnType::kStruct:
        return record(type, in);
      case ColumnType::kDouble:
        return real(in->real());
      case ColumnType::kBool:
        out_ += in->boolean() ? "true" : "false";
        return;
      case ColumnType::kInt32:
      case ColumnType::kInt64:
        return append_json_int(in->whole(type.kind), &out_);
      case ColumnType::kDecimal:
        out_ += decimal_bytes_to_string(in->text());
        return;
      case ColumnType::kJson: {
        const std::string_view json = in->text();
        out_ += is_valid_json(json) ? json : "null";
        return;
      }
      default:
        scratch_.clear();
        text(type, in, &scratch_);
        return append_json_string(scratch_, &out_);
    }
  }

 private:
  static void text(const NestedType& type, NestedInput* in, std::string* out) {
    switch (type.kind) {
      case ColumnType::kTimestamp:
        *out += format_timestamp(in->whole(type.kind));
        return;
      case ColumnType::kDate:
        *out += date_text(in->whole(type.kind));
        return;
      case ColumnType::kBytes:
        *out += bytes_text(in->text());
        return;
      default:
        out->append(in->text());
    }
  }

  void real(double value) {
    if (doubles_ == JsonDoubles::kWithPoint || !std::isfinite(value)) {
      return append_json_double(value, &out_);
    }
    // As PostgreSQL writes them.
    const double magnitude = std::abs(value);
    const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e15);
    std::array<char, 32> text{};
    const auto [end, ec] =
        std::to_chars(text.data(), text.data() + text.size(), value,
                      plain ? std::chars_format::fixed : std::chars_format::scientific);
    out_.append(text.data(), end);
  }

  void item(bool null, const NestedType& type, NestedInput* in) {
    if (null) {
      out_ += "null";
    } else {
      value(type, in);
    }
  }

  void list(const NestedType& type, NestedInput* in) {
    const NestedInput::Items items = in->items();
    out_ += '[';
    for (uint32_t i = 0; i < items.count && in->ok(); ++i) {
      if (i > 0) out_ += ',';
      item(items.is_null(i), type.element(), in);
    }
    out_ += ']';
  }

  void record(const NestedType& type, NestedInput* in) {
    const NestedInput::Items items = in->fields(type.fields.size());
    out_ += '{';
    for (uint32_t i = 0; i < items.count && in->ok(); ++i) {
      if (i > 0) out_ += ',';
      append_json_string(type.fields[i].name, &out_);
      out_ += ':';
      item(items.is_null(i), type.fields[i].type, in);
    }
    out_ += '}';
  }

  // Members have names: keys that are no text are told as such.
  void map(const NestedType& type, NestedInput* in) {
    const NestedInput::Items items = in->items();
    out_ += '{';
    for (uint32_t i = 0; i < items.count && in->ok(); ++i) {
      if (i > 0) out_ += ',';
      const size_t begin = out_.size();
      value(type.key(), in);
      if (out_[begin] != '"') {
        out_.insert(begin, 1, '"');
        out_ += '"';
      }
      out_ += ':';
      item(items.is_null(i), type.value(), in);
    }
    out_ += '}';
  }

  JsonDoubles doubles_;
  std::string& out_;
  std::string scratch_;
};

}  // namespace

void append_nested_json(const NestedType& type, std::string_view bytes, JsonDoubles doubles,
                        std::string* out) {
  const size_t begin = out->size();
  NestedInput in(bytes);
  JsonPrinter(doubles, out).value(type, &in);
  if (in.ok() && in.at_end()) return;
  out->resize(begin);
  out->append("null");
}

bool put_text_value(const NestedType& type, std::string_view text, NestedWriter* out) {
  int64_t whole = 0;
  double real = 0;
  switch (type.kind) {
    case ColumnType::kBool:
      return put_bool(text, out);
    case ColumnType::kInt32:
    case ColumnType::kInt64:
      return text_to_whole(text, &whole) && put_whole(type.kind, whole, out);
    case ColumnType::kDouble:
      if (!text_to_real(text, &real)) return false;
      out->real(real);
      return true;
    case ColumnType::kDecimal:
      return put_decimal(type, text, out);
    case ColumnType::kTimestamp:
      if (!parse_timestamp(text, &whole)) return false;
      out->whole(type.kind, whole);
      return true;
    case ColumnType::kDate:
      if (!parse_date(text, &whole)) return false;
      out->whole(type.kind, whole);
      return true;
    case ColumnType::kBytes:
      return put_bytes(text, out);
    case ColumnType::kString:
      if (!is_valid_utf8(text)) return false;
      break;
    case ColumnType::kJson:
      if (!is_valid_json(text)) return false;
      break;
    default:
      return false;
  }
  out->text(text);
  return true;
}

std::string key_step(std::string_view key) { return "['" + printable(key, kShownBytes) + "']"; }

std::optional<NestedFault> NestedJsonParser::parse(const NestedType& type, std::string_view text,
                                                   std::string_view* value) {
  rest_ = text;
  path_.clear();
  fault_ = {};
  writer_.clear();
  if (!item(type)) {
    fault_.path = path_;
    return std::move(fault_);
  }
  *value = writer_.value();
  if (value->size() <= kMaxNestedBytes) return std::nullopt;
  fail("it takes " + std::to_string(value->size()) + " bytes, and may take " +
       std::to_string(kMaxNestedBytes));
  return std::move(fault_);
}

void NestedJsonParser::skip_space() {
  while (!rest_.empty() && static_cast<unsigned char>(rest_.front()) <= ' ') rest_.remove_prefix(1);
}

bool NestedJsonParser::take(char c) {
  skip_space();
  if (rest_.empty() || rest_.front() != c) return false;
  rest_.remove_prefix(1);
  return true;
}

// The next value as it stands there: JSON that is valid needs no closer look.
std::string_view NestedJsonParser::next_token() {
  skip_space();
  int depth = 0;
  bool quoted = false;
  size_t at = 0;
  for (; at < rest_.size(); ++at) {
    const char c = rest_[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;
      --depth;
    } else if (depth == 0 && (c == ',' || c == ':' || static_cast<unsigned char>(c) <= ' ')) {
      break;
    }
  }
  at = std::min(at, rest_.size());
  const std::string_view out = rest_.substr(0, at);
  rest_.remove_prefix(at);
  return out;
}

bool NestedJsonParser::string(std::string_view token, std::string* out) {
  if (token.size() < 2 || token.front() != '"') return false;
  out->resize(token.size());
  const std::optional<size_t> size = json_string_value(token, out->data(), true);
  if (!size.has_value()) return false;
  out->resize(*size);
  return true;
}

bool NestedJsonParser::wrong(const NestedType& type, std::string_view token) {
  fault_.wanted = &type;
  fault_.found = token;
  return false;
}
bool NestedJsonParser::fail(std::string why) {
  fault_.why = std::move(why);
  return false;
}

bool NestedJsonParser::item(const NestedType& type) {
  skip_space();
  const char first = rest_.empty() ? '\0' : rest_.front();
  switch (type.kind) {
    case ColumnType::kList:
      return first == '[' ? list(type) : scalar(type, next_token());
    case ColumnType::kMap:
      return first == '{' ? map(type) : scalar(type, next_token());
    case ColumnType::kStruct:
      return first == '{' ? record(type) : scalar(type, next_token());
    default:
      return scalar(type, next_token());
  }
}

bool NestedJsonParser::list(const NestedType& type) {
  writer_.begin_list();
  take('[');
  if (!take(']')) {
    uint32_t count = 0;
    do {
      const size_t before = path_.size();
      path_ += '[' + std::to_string(++count) + ']';
      if (count > kMaxNestedItems) {
        return fail("a list has at most " + std::to_string(kMaxNestedItems) + " elements");
      }
      if (!item(type.element())) return false;
      path_.resize(before);
    } while (take(','));
    take(']');
  }
  writer_.end_list();
  return true;
}

bool NestedJsonParser::map(const NestedType& type) {
  writer_.begin_map();
  const std::string_view begin = rest_;
  take('{');
  uint32_t count = 0;
  if (!take('}')) {
    std::string key;
    do {
      const std::string_view token = next_token();
      if (!string(token, &key)) return wrong(type.key(), token);
      const size_t before = path_.size();
      path_ += key_step(key);
      if (++count > kMaxNestedItems) {
        return fail("a map has at most " + std::to_string(kMaxNestedItems) + " entries");
      }
      if (!put_text_value(type.key(), key, &writer_)) return wrong(type.key(), token);
      take(':');
      if (!item(type.value())) return false;
      path_.resize(before);
    } while (take(','));
    take('}');
  }
  if (writer_.end_map(type.key(), nullptr)) return true;
  fault_.found = printable(begin.substr(0, begin.size() - rest_.size()), kShownBytes);
  return fail("a key is there twice");
}

bool NestedJsonParser::record(const NestedType& type) {
  // Members come in any order: where each begins is found first.
  std::vector<std::string_view> members(type.fields.size());
  std::string name;
  take('{');
  if (!take('}')) {
    do {
      const std::string_view token = next_token();
      const bool plain = token.find('\\') == std::string_view::npos && token.size() >= 2;
      if (!plain && !string(token, &name)) name.clear();
      const std::string_view key = plain ? token.substr(1, token.size() - 2) : name;
      take(':');
      const std::string_view value = next_token();
      for (size_t i = 0; i < members.size(); ++i) {
        if (type.fields[i].name != key) continue;
        if (!members[i].empty()) {
          path_ += '.' + type.fields[i].name;
          return fail("it is there twice");
        }
        members[i] = value;
        break;
      }
    } while (take(','));
    take('}');
  }
  const std::string_view behind = rest_;
  writer_.begin_struct();
  for (size_t i = 0; i < members.size(); ++i) {
    if (members[i].empty()) {
      writer_.null();
      continue;
    }
    rest_ = members[i];
    const size_t before = path_.size();
    path_ += '.' + type.fields[i].name;
    if (!item(type.fields[i].type)) return false;
    path_.resize(before);
  }
  writer_.end_struct();
  rest_ = behind;
  return true;
}

bool NestedJsonParser::scalar(const NestedType& type, std::string_view token) {
  if (token == "null" && type.kind != ColumnType::kJson) {
    writer_.null();
    return true;
  }
  if (is_nested(type.kind)) return wrong(type, token);
  if (type.kind == ColumnType::kJson) {
    if (token == "null") {
      writer_.null();
    } else {
      writer_.text(token);
    }
    return true;
  }
  if (!token.starts_with('"')) {
    const bool bare = type.kind == ColumnType::kBool || type.kind == ColumnType::kInt32 ||
                      type.kind == ColumnType::kInt64 || type.kind == ColumnType::kDouble ||
                      type.kind == ColumnType::kDecimal;
    return (bare && put_text_value(type, token, &writer_)) || wrong(type, token);
  }
  if (!string(token, &scratch_)) return wrong(type, token);
  return word(type, scratch_) || wrong(type, token);
}

// What a string may hold: text and times; digits of a decimal; of doubles what JSON has no number
// for.
bool NestedJsonParser::word(const NestedType& type, std::string_view text) {
  switch (type.kind) {
    case ColumnType::kDouble: {
      constexpr double kInfinity = std::numeric_limits<double>::infinity();
      if (text != "NaN" && text != "Infinity" && text != "-Infinity") return false;
      writer_.real(text == "NaN"        ? std::numeric_limits<double>::quiet_NaN()
                   : text == "Infinity" ? kInfinity
                                        : -kInfinity);
      return true;
    }
    case ColumnType::kString:
    case ColumnType::kTimestamp:
    case ColumnType::kDate:
    case ColumnType::kBytes:
    case ColumnType::kDecimal:
      return put_text_value(type, text, &writer_);
    default:
      return false;
  }
}

}  // namespace tidemill
