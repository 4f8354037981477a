// Parts of JSON values.
#include <charconv>

#include "shared/base/json_text.h"
#include "shared/expr/functions.h"

namespace tidemill {
namespace {

using View = std::string_view;
using proto::Expr;
using proto::INT32;
using proto::JSON;
using proto::STRING;

constexpr RowFault kNoText{"22P05", "\\u0000 or half a surrogate pair cannot be text"};
constexpr RowFault kNoArray{"22023", "the JSON value is not an array"};

using Part = std::optional<View>;

View trimmed(View json) {
  constexpr View kSpace = " \t\r\n";
  json.remove_prefix(std::min(json.find_first_not_of(kSpace), json.size()));
  return json.substr(0, json.find_last_not_of(kSpace) + 1);
}

// Strings without their quotes, anything else as it stands there, null as null.
void put_text(const Call& call, uint32_t row, View json) {
  json = trimmed(json);
  switch (json_kind(json)) {
    case JsonKind::kNull:
      call.out->nulls[row] = 1;
      return;
    case JsonKind::kString:
      break;
    default:
      call.out->strings[row] = json;
      return;
  }
  if (json.find('\\') == View::npos) {
    call.out->strings[row] = json.substr(1, json.size() - 2);
    return;
  }
  char* begin = call.arena->take(json.size());
  const std::optional<size_t> size = json_string_value(json, begin);
  if (!size.has_value()) return call.fail(row, kNoText);
  call.out->strings[row] = {begin, *size};
}

// part(row) of the rows without a null; what there is not is null.
template <bool kText, typename F>
void parts(const Call& call, F&& part) {
  call.rows.each([&](uint32_t i) {
    call.out->strings[i] = {};
    call.out->nulls[i] = call.any_null(i) ? 1 : 0;
    if (call.out->nulls[i] != 0) return;
    const Part found = part(i);
    if (!found.has_value()) {
      call.out->nulls[i] = 1;
    } else if (kText) {
      put_text(call, i, *found);
    } else {
      call.out->strings[i] = *found;
    }
  });
}

template <bool kText>
void member(const Call& call) {
  parts<kText>(call, [&](uint32_t i) {
    return json_member(call.args[0]->strings[i], call.args[1]->strings[i]);
  });
}
template <bool kText>
void element(const Call& call) {
  parts<kText>(call, [&](uint32_t i) {
    return json_element(call.args[0]->strings[i], call.args[1]->ints[i]);
  });
}

// The keys and indices of '{a,0,b}'.
struct Path : FunctionState {
  std::vector<std::string> steps;
  bool has_null = false;

  Part follow(View json) const {
    Part at = json;
    for (size_t i = 0; i < steps.size() && at.has_value(); ++i) {
      if (json_kind(*at) == JsonKind::kObject) {
        at = json_member(*at, steps[i]);
        continue;
      }
      int32_t index = 0;
      const char* end = steps[i].data() + steps[i].size();
      const auto [stop, ec] = std::from_chars(steps[i].data(), end, index);
      const bool number = ec == std::errc() && stop == end;
      at = number ? json_element(*at, index) : std::nullopt;
    }
    return has_null ? std::nullopt : at;
  }
};

template <bool kText>
void at_path(const Call& call) {
  const auto& path = static_cast<const Path&>(*call.state);
  parts<kText>(call, [&](uint32_t i) { return path.follow(call.args[0]->strings[i]); });
}

// One element of an array literal from its front.
bool take_step(View* rest, Path* path) {
  std::string step;
  while (rest->starts_with(' ')) rest->remove_prefix(1);
  const bool quoted = rest->starts_with('"');
  if (quoted) rest->remove_prefix(1);
  for (;;) {
    if (rest->empty()) return false;
    const char c = rest->front();
    if (quoted ? c == '"' : c == ',' || c == '}') break;
    if (!quoted && (c == '{' || c == '"')) return false;
    rest->remove_prefix(1);
    if (c == '\\') {
      if (rest->empty()) return false;
      step += rest->front();
      rest->remove_prefix(1);
    } else {
      step += c;
    }
  }
  if (quoted) {
    rest->remove_prefix(1);
  } else {
    while (step.ends_with(' ')) step.pop_back();
    if (step.empty()) return false;
    if (step == "null" || step == "NULL") path->has_null = true;
  }
  while (rest->starts_with(' ')) rest->remove_prefix(1);
  path->steps.push_back(std::move(step));
  return true;
}

Result<std::unique_ptr<FunctionState>> prepare_path(const Expr& call) {
  const Error wrong = user_error("the path must be a literal such as '{items,0,price}'");
  const Expr& literal = call.args(1);
  if (literal.literal_case() != Expr::kLiteralString) return wrong;
  auto path = std::make_unique<Path>();
  View rest = trimmed(literal.literal_string());
  if (!rest.starts_with('{') || !rest.ends_with('}')) return wrong;
  rest.remove_prefix(1);
  while (rest != "}" || !path->steps.empty()) {
    if (!take_step(&rest, path.get())) return wrong;
    if (rest == "}") break;
    if (!rest.starts_with(',')) return wrong;
    rest.remove_prefix(1);
  }
  return std::unique_ptr<FunctionState>(std::move(path));
}

const RowFault* array_length(int64_t* out, View json) {
  if (json_kind(json) != JsonKind::kArray) return &kNoArray;
  *out = json_element_count(json);
  return nullptr;
}

const RowFault* type_of(Text* out, View json) {
  constexpr std::array<View, 6> kNames = {"object", "array", "string", "number", "boolean", "null"};
  out->value = kNames[static_cast<size_t>(json_kind(json))];
  return nullptr;
}

}  // namespace

std::span<const SqlFunction> json_functions() {
  static const std::vector<SqlFunction> all = {
      {"->", {JSON, STRING}, JSON, member<false>, false, "the member of that key"},
      {"->",
       {JSON, INT32},
       JSON,
       element<false>,
       false,
       "the element, counted from 0, or from the end if negative"},
      {"->>", {JSON, STRING}, STRING, member<true>, true, "the member as text, strings unquoted"},
      {"->>", {JSON, INT32}, STRING, element<true>, true, "the element as text"},
      {"#>",
       {JSON, STRING},
       JSON,
       at_path<false>,
       false,
       "what a path such as '{items,0}' leads to",
       false,
       prepare_path},
      {"#>>", {JSON, STRING}, STRING, at_path<true>, true, "the same as text", false, prepare_path},
      {"json_array_length", {JSON}, INT32, strict<array_length>, true, "number of elements"},
      {"json_typeof",
       {JSON},
       STRING,
       strict<type_of>,
       false,
       "object, array, string, number, boolean or null"},
  };
  return all;
}

}  // namespace tidemill
