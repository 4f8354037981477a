// Nested values as JSON text and back. A list is an array, a struct an object with all its fields
// in their order, a map an object whose members are in the order of its keys. thread-safe
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/base/time.h"
#include "shared/nested/nested_value.h"

namespace tidemill {

// How doubles are written: 3.0 as in all answers, or 3 as PostgreSQL's to_json() has it.
enum class JsonDoubles : uint8_t { kWithPoint, kShortest };

// Appends the text of a value of the type; null for bytes that are none.
void append_nested_json(const NestedType& type, std::string_view bytes, JsonDoubles doubles,
                        std::string* out);

// What keeps a text from being a value.
struct NestedFault {
  std::string path;   // ".items[3].price": where in it; "" as a whole. Counted from 1.
  std::string found;  // the text there, clipped
  const NestedType* wanted = nullptr;  // not null: it is no value of this type
  std::string why;                     // else
};

// Parses JSON text (RFC 8259, UTF-8) as a value of one type. Members that a struct does not have
// are skipped, fields without a member are null.
class NestedJsonParser {
 public:
  // Appends nothing and says why if the text is no value of the type. `text` is valid JSON
  // (is_valid_json) and not null. The value is valid until the next one is parsed.
  std::optional<NestedFault> parse(const NestedType& type, std::string_view text,
                                   std::string_view* value);

 private:
  bool item(const NestedType& type);
  bool list(const NestedType& type);
  bool map(const NestedType& type);
  bool record(const NestedType& type);
  bool scalar(const NestedType& type, std::string_view token);
  bool word(const NestedType& type, std::string_view text);
  bool number(const NestedType& type, std::string_view token);
  bool wrong(const NestedType& type, std::string_view token);
  bool fail(std::string why);

  void skip_space();
  bool take(char c);
  std::string_view next_token();
  bool string(std::string_view token, std::string* out);

  std::string_view rest_;
  NestedWriter writer_;
  std::string path_;
  std::string scratch_;
  NestedFault fault_;
};

// The same of a key's or scalar's text: what strings in JSON and cells of CSV hold. False: the text
// is no value of the type, and nothing was put.
bool put_text_value(const NestedType& type, std::string_view text, NestedWriter* out);

// "['a']" for the paths of messages.
std::string key_step(std::string_view key);

}  // namespace tidemill
