// Types with parameters as text and back.
#include <google/protobuf/util/message_differencer.h>

#include <charconv>
#include <set>

#include "shared/base/decimal.h"
#include "shared/expr/parse_tree.h"
#include "shared/expr/printer.h"
#include "shared/expr/suggest.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

constexpr size_t kMaxTypeText = 16 << 10;
constexpr size_t kMaxFieldName = 256;

proto::Type plain(proto::ColumnType kind) {
  proto::Type out;
  out.set_kind(kind);
  return out;
}

class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : text_(text) {}

  Result<proto::Type> whole() {
    if (text_.size() > kMaxTypeText) return user_error("the type is too long");
    Result<proto::Type> out = type(1);
    if (!out.ok()) return out;
    skip();
    if (at_ != text_.size()) return fail("there is something behind it");
    return out;
  }

 private:
  Error fail(const std::string& what) const {
    return user_error("'" + clipped(text_, 80) + "' is not a type: " + what + " (at character " +
                      std::to_string(at_ + 1) + "); write " + column_type_names());
  }
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) {
      ++at_;
    }
  }
  bool take(char c) {
    skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  }
  std::string_view word() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  // "double precision": one more word may belong to the name.
  std::string name() {
    std::string out(word());
    for (;;) {
      const size_t before = at_;
      const std::string_view next = word();
      if (next.empty()) {
        at_ = before;
        return out;
      }
      out += ' ';
      out += next;
    }
  }
  static std::string lower(std::string text) {
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return text;
  }

  Result<proto::Type> type(int depth) {
    if (depth > kMaxTypeDepth) {
      return fail("it is nested more than " + std::to_string(kMaxTypeDepth) +
                  " deep, the most allowed");
    }
    Result<proto::Type> out = bare(depth);
    while (out.ok() && take('[')) {
      if (!take(']')) return fail("']' is missing behind '['");
      proto::Type list = plain(proto::LIST);
      *list.add_fields()->mutable_type() = *std::move(out);
      out = std::move(list);
    }
    if (!out.ok()) return out;
    if (Status s = check_type(*out); !s.ok()) return fail(s.error().message());
    return out;
  }

  Result<proto::Type> bare(int depth) {
    const std::string given = name();
    const std::string known = lower(given);
    if (given.empty()) return fail("there is no name");
    if (known == "list" || known == "array") return list(depth);
    if (known == "map") return map(depth);
    if (known == "struct") return record(depth);
    const std::optional<proto::ColumnType> kind = parse_type_name(known);
    if (!kind.has_value()) return fail("there is no type '" + given + "'");
    if (*kind == proto::DECIMAL) return decimal();
    if (take('(')) return fail(given + " has no parameters");
    return plain(*kind);
  }

  Result<uint32_t> number() {
    const std::string_view digits = word();
    uint32_t out = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    if (digits.empty() || ec != std::errc() || end != digits.data() + digits.size()) {
      return fail("a whole number is missing");
    }
    return out;
  }

  Result<proto::Type> decimal() {
    proto::Type out = plain(proto::DECIMAL);
    if (!take('(')) return out;
    Result<uint32_t> precision = number();
    if (!precision.ok()) return precision.error();
    out.set_precision(*precision);
    if (take(',')) {
      Result<uint32_t> scale = number();
      if (!scale.ok()) return scale.error();
      out.set_scale(*scale);
    }
    if (!take(')')) return fail("')' is missing");
    if (out.precision() == 0) return fail("a decimal has at least one digit");
    return out;
  }

  Result<proto::Type> list(int depth) {
    proto::Type out = plain(proto::LIST);
    if (!take('<')) return fail("write list<type>");
    Result<proto::Type> element = type(depth + 1);
    if (!element.ok()) return element;
    *out.add_fields()->mutable_type() = *std::move(element);
    if (!take('>')) return fail("'>' is missing");
    return out;
  }

  Result<proto::Type> map(int depth) {
    proto::Type out = plain(proto::MAP);
    if (!take('<')) return fail("write map<type of keys, type of values>");
    for (int i = 0; i < 2; ++i) {
      if (i == 1 && !take(',')) return fail("write map<type of keys, type of values>");
      Result<proto::Type> part = type(depth + 1);
      if (!part.ok()) return part;
      *out.add_fields()->mutable_type() = *std::move(part);
    }
    if (!take('>')) return fail("'>' is missing");
    return out;
  }

  Result<std::string> field_name() {
    skip();
    if (at_ < text_.size() && text_[at_] == '"') {
      std::string out;
      for (++at_; at_ < text_.size(); ++at_) {
        if (text_[at_] == '"' && (at_ + 1 == text_.size() || text_[at_ + 1] != '"')) {
          ++at_;
          return out;
        }
        if (text_[at_] == '"') ++at_;
        out += text_[at_];
      }
      return fail("a name's '\"' is not closed");
    }
    std::string out(word());
    if (out.empty()) return fail("the name of a field is missing");
    return out;
  }

  Result<proto::Type> record(int depth) {
    proto::Type out = plain(proto::STRUCT);
    if (!take('<')) return fail("write struct<name: type, ...>");
    do {
      Result<std::string> name = field_name();
      if (!name.ok()) return name.error();
      if (!take(':')) return fail("write struct<name: type, ...>");
      Result<proto::Type> part = type(depth + 1);
      if (!part.ok()) return part;
      proto::NestedField* field = out.add_fields();
      field->set_name(*std::move(name));
      *field->mutable_type() = *std::move(part);
    } while (take(','));
    if (!take('>')) return fail("'>' is missing");
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Status check_decimal(const proto::Type& type) {
  if (type.precision() > kMaxDecimalDigits || type.scale() > type.precision()) {
    return user_error("decimal(p, s) has p from 1 to " + std::to_string(kMaxDecimalDigits) +
                      " and s from 0 to p");
  }
  return type.fields_size() == 0 ? Status() : user_error("a decimal has no fields");
}

Status check_struct(const proto::Type& type) {
  if (type.fields_size() == 0 || type.fields_size() > kMaxStructFields) {
    return user_error("a struct has from 1 to " + std::to_string(kMaxStructFields) + " fields");
  }
  std::set<std::string_view> names;
  for (const proto::NestedField& field : type.fields()) {
    if (field.name().empty() || field.name().size() > kMaxFieldName) {
      return user_error("a struct's field has a name of up to " + std::to_string(kMaxFieldName) +
                        " bytes");
    }
    if (!names.insert(field.name()).second) {
      return user_error("a struct has two fields '" + field.name() + "'");
    }
  }
  return {};
}

bool is_map_key(proto::ColumnType kind) {
  return is_column_type(kind) && !is_nested(kind) && kind != proto::JSON && kind != proto::DOUBLE;
}

Status check_within(const proto::Type& type, int depth) {
  if (depth > kMaxTypeDepth) {
    return user_error("it is nested more than " + std::to_string(kMaxTypeDepth) +
                      " deep, the most allowed");
  }
  if (!is_known_type(type.kind())) return user_error("it has no kind");
  if (type.kind() == proto::DECIMAL) return check_decimal(type);
  if (type.precision() != 0 || type.scale() != 0) {
    return user_error(type_name(type.kind()) + " has no precision");
  }
  const int fields = type.kind() == proto::LIST ? 1 : type.kind() == proto::MAP ? 2 : 0;
  if (type.kind() == proto::STRUCT) {
    if (Status s = check_struct(type); !s.ok()) return s;
  } else if (type.fields_size() != fields) {
    return user_error(type_name(type.kind()) + " has " + std::to_string(fields) + " fields");
  }
  for (const proto::NestedField& field : type.fields()) {
    const proto::ColumnType kind = field.type().kind();
    if (!is_column_type(kind)) {
      return user_error("there is no " + type_name(type.kind()) + " of " + type_name(kind));
    }
    if (kind == proto::DECIMAL && field.type().precision() == 0) {
      return user_error("say how many digits a decimal has: decimal(p, s)");
    }
    if (Status s = check_within(field.type(), depth + 1); !s.ok()) return s;
  }
  if (type.kind() == proto::MAP && !is_map_key(type.fields(0).type().kind())) {
    return user_error("the keys of a map cannot be " + type_name(type.fields(0).type().kind()) +
                      "; write string, an integer, decimal(p, s), bool, timestamp, date or bytes");
  }
  return {};
}

}  // namespace

std::string type_name(const proto::Type& type) {
  const auto part = [&](int i) { return type_name(type.fields(i).type()); };
  switch (type.kind()) {
    case proto::DECIMAL:
      if (type.precision() == 0) return "decimal";
      return "decimal(" + std::to_string(type.precision()) + ", " + std::to_string(type.scale()) +
             ")";
    case proto::LIST:
      return type.fields_size() == 1 ? "list<" + part(0) + ">" : "list";
    case proto::MAP:
      return type.fields_size() == 2 ? "map<" + part(0) + ", " + part(1) + ">" : "map";
    case proto::STRUCT: {
      std::string out = "struct<";
      for (int i = 0; i < type.fields_size(); ++i) {
        out += (i == 0 ? "" : ", ") + quote_identifier(type.fields(i).name()) + ": " + part(i);
      }
      return out + ">";
    }
    default:
      return type_name(type.kind());
  }
}

Result<proto::Type> parse_type(std::string_view text) { return TypeParser(text).whole(); }

Status check_type(const proto::Type& type) { return check_within(type, 1); }

bool same_type(const proto::Type& a, const proto::Type& b) {
  return google::protobuf::util::MessageDifferencer::Equals(a, b);
}

proto::Type column_type(const proto::Table& table, int index) {
  if (index < table.column_details_size()) return table.column_details(index);
  return plain(static_cast<proto::ColumnType>(table.column_types(index)));
}

}  // namespace tidemill
