#include "shared/schema/avro_schema.h"

#include <simdjson.h>

#include <array>
#include <map>
#include <optional>
#include <utility>

#include "shared/base/utf8.h"
#include "shared/schema/schema_limits.h"

namespace tidemill {
namespace {

using Kind = AvroType::Kind;
using Logical = AvroType::Logical;
using simdjson::dom::element;

constexpr int kMaxDepth = 64;  // of definitions within one another
constexpr uint32_t kMaxFixedBytes = 1u << 20;
constexpr int64_t kMaxScale = 1000;

struct Primitive {
  std::string_view name;
  Kind kind;
};
constexpr std::array<Primitive, 8> kPrimitives{{{"null", Kind::kNull},
                                                {"boolean", Kind::kBoolean},
                                                {"int", Kind::kInt},
                                                {"long", Kind::kLong},
                                                {"float", Kind::kFloat},
                                                {"double", Kind::kDouble},
                                                {"bytes", Kind::kBytes},
                                                {"string", Kind::kString}}};

struct LogicalName {
  std::string_view name;
  Logical logical;
  Kind of;
};
constexpr std::array<LogicalName, 8> kLogicalNames{
    {{"date", Logical::kDate, Kind::kInt},
     {"timestamp-millis", Logical::kTimestampMillis, Kind::kLong},
     {"timestamp-micros", Logical::kTimestampMicros, Kind::kLong},
     {"timestamp-nanos", Logical::kTimestampNanos, Kind::kLong},
     {"local-timestamp-millis", Logical::kTimestampMillis, Kind::kLong},
     {"local-timestamp-micros", Logical::kTimestampMicros, Kind::kLong},
     {"local-timestamp-nanos", Logical::kTimestampNanos, Kind::kLong},
     {"uuid", Logical::kUuid, Kind::kString}}};

std::optional<Kind> primitive_of(std::string_view name) {
  for (const Primitive& primitive : kPrimitives) {
    if (primitive.name == name) return primitive.kind;
  }
  return std::nullopt;
}

std::string_view kind_name(Kind kind) {
  for (const Primitive& primitive : kPrimitives) {
    if (primitive.kind == kind) return primitive.name;
  }
  switch (kind) {
    case Kind::kFixed:
      return "fixed";
    case Kind::kEnum:
      return "enum";
    case Kind::kArray:
      return "array";
    case Kind::kMap:
      return "map";
    case Kind::kUnion:
      return "union";
    default:
      return "record";
  }
}

std::string_view logical_name(Logical logical) {
  if (logical == Logical::kDecimal) return "decimal";
  for (const LogicalName& each : kLogicalNames) {
    if (each.logical == logical) return each.name;
  }
  return {};
}

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Letters, digits and '_', not beginning with a digit; with dots between them if `dotted`.
bool is_avro_name(std::string_view name, bool dotted) {
  bool start = true;
  for (const char c : name) {
    if (dotted && c == '.' && !start) {
      start = true;
      continue;
    }
    if (!is_name_start(c) && (start || c < '0' || c > '9')) return false;
    start = false;
  }
  return !start;
}

std::string in_quotes(std::string_view name) { return "'" + printable(name, 80) + "'"; }

std::optional<std::string_view> text_member(element at, std::string_view key) {
  std::string_view text;
  if (at[key].get_string().get(text)) return std::nullopt;
  return text;
}

}  // namespace

class AvroSchemaReader {
 public:
  // The number of the type that `text` defines or names.
  Result<uint32_t> read(std::string_view text) {
    if (text.size() > kMaxSchemaBytes) {
      return user_error("the schema has more than " + std::to_string(kMaxSchemaBytes) + " bytes");
    }
    // A name alone may stand without quotes.
    if (is_avro_name(text, true)) return named(text, "");
    element root;
    if (const auto error = parser_.parse(text.data(), text.size()).get(root); error) {
      return user_error(std::string("the schema is not valid JSON: ") +
                        simdjson::error_message(error));
    }
    return type(root, "", 0);
  }

  std::shared_ptr<const AvroSchema> finish(uint32_t root) {
    schema_.types_ = std::move(types_);
    schema_.root_ = root;
    return std::make_shared<const AvroSchema>(std::move(schema_));
  }

 private:
  Result<uint32_t> add(AvroType type) {
    if (types_.size() == kMaxSchemaTypes) {
      return user_error("the schema has more than " + std::to_string(kMaxSchemaTypes) + " types");
    }
    types_.push_back(std::move(type));
    return static_cast<uint32_t>(types_.size() - 1);
  }

  Result<uint32_t> type(element at, const std::string& space, int depth) {
    if (depth > kMaxDepth) {
      return user_error("the schema is more than " + std::to_string(kMaxDepth) + " levels deep");
    }
    std::string_view name;
    if (!at.get_string().get(name)) return named(name, space);
    if (at.is_array()) return union_of(at, space, depth);
    if (!at.is_object()) return user_error("a type is a name, a list of types, or an object");
    element inner;
    if (at["type"].get(inner)) return user_error("a type has no \"type\"");
    if (inner.get_string().get(name)) return type(inner, space, depth + 1);
    if (name == "record" || name == "error") return record(at, space, depth);
    if (name == "enum") return enumeration(at, space);
    if (name == "fixed") return fixed(at, space);
    if (name == "array") return holder(at, Kind::kArray, "items", space, depth);
    if (name == "map") return holder(at, Kind::kMap, "values", space, depth);
    const auto kind = primitive_of(name);
    if (!kind) return named(name, space);
    AvroType primitive;
    primitive.kind = *kind;
    read_logical(at, &primitive);
    return add(std::move(primitive));
  }

  Result<uint32_t> named(std::string_view name, const std::string& space) {
    if (const auto kind = primitive_of(name); kind) {
      AvroType primitive;
      primitive.kind = *kind;
      return add(std::move(primitive));
    }
    const bool full = name.find('.') != std::string_view::npos || space.empty();
    const std::string key = full ? std::string(name) : space + "." + std::string(name);
    const auto found = numbers_.find(key);
    if (found == numbers_.end()) {
      return user_error("the schema names the type " + in_quotes(key) +
                        ", which it does not define");
    }
    return found->second;
  }

  Result<uint32_t> union_of(element at, const std::string& space, int depth) {
    AvroType out;
    out.kind = Kind::kUnion;
    simdjson::dom::array branches;
    if (at.get_array().get(branches)) return user_error("a union is not a list of types");
    for (const element branch : branches) {
      const auto number = type(branch, space, depth + 1);
      if (!number.ok()) return number;
      if (types_[*number].kind == Kind::kUnion) return user_error("a union holds a union itself");
      out.types.push_back(*number);
    }
    if (out.types.empty()) return user_error("a union has no types");
    return add(std::move(out));
  }

  Result<uint32_t> holder(element at, Kind kind, const char* member, const std::string& space,
                          int depth) {
    element inner;
    if (at[member].get(inner)) {
      return user_error("a type '" + std::string(kind_name(kind)) + "' has no \"" + member + "\"");
    }
    const auto number = type(inner, space, depth + 1);
    if (!number.ok()) return number;
    AvroType out;
    out.kind = kind;
    out.types.push_back(*number);
    return add(std::move(out));
  }

  // Adds a named type; `*space` becomes the namespace that names in it are of.
  Result<uint32_t> define(element at, Kind kind, std::string* space) {
    const auto name = text_member(at, "name");
    if (!name || !is_avro_name(*name, true)) {
      return user_error("a type '" + std::string(kind_name(kind)) + "' has no valid name");
    }
    std::string full(*name);
    if (full.find('.') == std::string::npos) {
      const auto own = text_member(at, "namespace");
      if (own && !own->empty() && !is_avro_name(*own, true)) {
        return user_error("the namespace " + in_quotes(*own) + " is not valid");
      }
      const std::string prefix = own ? std::string(*own) : *space;
      if (!prefix.empty()) full = prefix + "." + full;
    }
    const size_t dot = full.rfind('.');
    *space = dot == std::string::npos ? std::string() : full.substr(0, dot);
    AvroType out;
    out.kind = kind;
    out.name = full;
    const auto number = add(std::move(out));
    if (!number.ok()) return number;
    if (!numbers_.emplace(full, *number).second) {
      return user_error("the type " + in_quotes(full) + " is defined twice");
    }
    return number;
  }

  Result<uint32_t> record(element at, std::string space, int depth) {
    const auto number = define(at, Kind::kRecord, &space);
    if (!number.ok()) return number;
    const std::string name = types_[*number].name;
    simdjson::dom::array fields;
    if (at["fields"].get_array().get(fields)) {
      return user_error("the record " + in_quotes(name) + " has no list of \"fields\"");
    }
    std::vector<std::string> names;
    std::vector<uint32_t> types;
    for (const element field : fields) {
      const auto field_name = text_member(field, "name");
      element field_type;
      if (!field_name || !is_avro_name(*field_name, false) || field["type"].get(field_type)) {
        return user_error("a field of the record " + in_quotes(name) +
                          " has no valid name or type");
      }
      if (std::find(names.begin(), names.end(), *field_name) != names.end()) {
        return user_error("the record " + in_quotes(name) + " has two fields " +
                          in_quotes(*field_name));
      }
      const auto of = type(field_type, space, depth + 1);
      if (!of.ok()) return of;
      names.emplace_back(*field_name);
      types.push_back(*of);
    }
    types_[*number].names = std::move(names);
    types_[*number].types = std::move(types);
    return number;
  }

  Result<uint32_t> enumeration(element at, std::string space) {
    const auto number = define(at, Kind::kEnum, &space);
    if (!number.ok()) return number;
    const std::string name = types_[*number].name;
    simdjson::dom::array symbols;
    if (at["symbols"].get_array().get(symbols)) {
      return user_error("the enum " + in_quotes(name) + " has no list of \"symbols\"");
    }
    for (const element symbol : symbols) {
      std::string_view text;
      if (symbol.get_string().get(text) || !is_avro_name(text, false)) {
        return user_error("a symbol of the enum " + in_quotes(name) + " is not valid");
      }
      types_[*number].names.emplace_back(text);
    }
    return number;
  }

  Result<uint32_t> fixed(element at, std::string space) {
    const auto number = define(at, Kind::kFixed, &space);
    if (!number.ok()) return number;
    int64_t size = 0;
    if (at["size"].get_int64().get(size) || size < 0 || size > kMaxFixedBytes) {
      return user_error("the type fixed " + in_quotes(types_[*number].name) +
                        " has no \"size\" from 0 to " + std::to_string(kMaxFixedBytes));
    }
    types_[*number].size = static_cast<uint32_t>(size);
    read_logical(at, &types_[*number]);
    return number;
  }

  static void read_logical(element at, AvroType* type) {
    const auto name = text_member(at, "logicalType");
    if (!name) return;
    if (*name == "decimal" && (type->kind == Kind::kBytes || type->kind == Kind::kFixed)) {
      int64_t precision = 0;
      int64_t scale = 0;
      if (at["precision"].get_int64().get(precision) || precision < 1) return;
      if (at["scale"].get_int64().get(scale)) scale = 0;
      if (scale < 0 || scale > precision || scale > kMaxScale) return;
      type->logical = Logical::kDecimal;
      type->scale = static_cast<uint32_t>(scale);
      return;
    }
    if (*name == "uuid" && type->kind == Kind::kFixed && type->size == 16) {
      type->logical = Logical::kUuid;
      return;
    }
    for (const LogicalName& each : kLogicalNames) {
      if (each.name == *name && each.of == type->kind) type->logical = each.logical;
    }
  }

  simdjson::dom::parser parser_;
  AvroSchema schema_;
  std::vector<AvroType> types_;
  std::map<std::string, uint32_t> numbers_;  // of named types
};

Result<std::shared_ptr<const AvroSchema>> AvroSchema::parse(
    std::string_view text, std::span<const std::string> references) {
  AvroSchemaReader reader;
  for (const std::string& reference : references) {
    if (const auto read = reader.read(reference); !read.ok()) {
      return read.error().within("a schema that it refers to");
    }
  }
  const auto root = reader.read(text);
  if (!root.ok()) return root.error();
  return reader.finish(*root);
}

std::string AvroSchema::describe(uint32_t number) const {
  const AvroType& type = types_[number];
  const std::string kind(kind_name(type.kind));
  if (type.kind == Kind::kNull) return "null";
  if (type.kind == Kind::kRecord || type.kind == Kind::kEnum) {
    return "the Avro " + kind + " " + type.name;
  }
  std::string out = "an Avro " + kind;
  if (type.kind == Kind::kFixed) out += " of " + std::to_string(type.size) + " bytes";
  if (type.logical != Logical::kNone) out += " (" + std::string(logical_name(type.logical)) + ")";
  return out;
}

}  // namespace tidemill
