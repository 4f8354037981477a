// Lists, structs and maps: the first byte chooses a type. The rest is bytes of a value and JSON
// text: what is a value has one form, and comes back from its JSON.
#include "shared/base/json_text.h"
#include "shared/expr/types.h"
#include "shared/nested/nested_json.h"
#include "shared/nested/proto_type.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

const std::vector<NestedType>& types() {
  static const std::vector<NestedType> all = [] {
    std::vector<NestedType> out;
    for (const char* text :
         {"list<bool>", "list<int32>", "list<string>", "list<double>", "list<decimal(12, 2)>",
          "list<list<json>>", "map<string, double>", "map<date, list<bytes>>",
          "map<decimal(5, 1), timestamp>",
          "struct<a: string, b: list<struct<c: double, d: map<int64, bool>>>, e: decimal(4, 2)>"}) {
      const auto type = parse_type(text);
      ASSERT(type.ok());
      out.push_back(nested_type(*type));
    }
    return out;
  }();
  return all;
}

std::string json_of(const NestedType& type, std::string_view bytes) {
  std::string out;
  append_nested_json(type, bytes, JsonDoubles::kShortest, &out);
  return out;
}

void as_bytes(const NestedType& type, std::string_view bytes) {
  NestedInput in(bytes);
  in.skip(type);
  const std::string json = json_of(type, bytes);
  ASSERT(is_valid_json(json));
  if (!is_nested_value(type, bytes)) return;
  ASSERT(in.ok() && in.at_end());
  NestedJsonParser parser;
  std::string_view again;
  // Times and dates beyond the year 9999 have no text that is read.
  if (!parser.parse(type, json, &again).has_value()) ASSERT(again == bytes);
}

void as_json(const NestedType& type, std::string_view text) {
  if (!is_valid_json(text)) return;
  NestedJsonParser parser;
  std::string_view value;
  if (parser.parse(type, text, &value).has_value()) return;
  if (value.empty()) return;  // null
  ASSERT(is_nested_value(type, value));
  const std::string bytes(value);
  ASSERT(!parser.parse(type, json_of(type, bytes), &value).has_value() && value == bytes);
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  if (size == 0) return 0;
  const auto bytes = fuzz::copy_of(data + 1, size - 1);
  const NestedType& type = fuzz::types()[data[0] % fuzz::types().size()];
  const std::string_view text = fuzz::text_of(bytes.data(), bytes.size());
  fuzz::as_bytes(type, text);
  fuzz::as_json(type, text);
  return 0;
}
