// A request's body as a JSON document: what the readers of the store's APIs share. Only they
// include this: it shows simdjson. Used by one thread at a time.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

namespace tidemill {

class JsonBody {
 public:
  // False if `body` is not JSON: the two below say why. Throws what simdjson throws.
  bool parse(std::string_view body);

  // Of a body that was parsed. Lives until this thread parses the next body.
  simdjson::dom::element root() const { return root_; }

  std::optional<size_t> error_position() const { return position_; }  // byte, from 1; where known
  const std::string& error_message() const { return message_; }

 private:
  void locate_error(std::string_view body, simdjson::error_code code);

  simdjson::dom::parser large_;
  simdjson::dom::element root_;
  std::optional<size_t> position_;
  std::string message_;
};

}  // namespace tidemill
