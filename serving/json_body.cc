#include "serving/json_body.h"

#include <nlohmann/json.hpp>

namespace tidemill {
namespace {

// Takes every event and keeps none: only where a text stops being JSON is of interest.
struct ErrorLocator : nlohmann::json_sax<nlohmann::json> {
  size_t position = 0;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t at, const std::string&, const nlohmann::json::exception&) override {
    position = at;
    return false;
  }
};

}  // namespace

bool JsonBody::parse(std::string_view body) {
  if (body.data() == nullptr) body = "";  // simdjson copies even nothing from an address
  // Parsers grow to their largest text, and keep that: only those of small requests are kept.
  constexpr size_t kKeptBytes = 64u << 10;
  thread_local simdjson::dom::parser kept;
  simdjson::dom::parser& parser = body.size() <= kKeptBytes ? kept : large_;
  const auto code = parser.parse(body.data(), body.size()).get(root_);
  if (code != simdjson::SUCCESS) locate_error(body, code);
  return code == simdjson::SUCCESS;
}

// simdjson does not say where a text stops being JSON. Only bad requests come here.
void JsonBody::locate_error(std::string_view body, simdjson::error_code code) {
  message_ = simdjson::error_message(code);
  ErrorLocator locator;
  if (!nlohmann::json::sax_parse(body.begin(), body.end(), &locator) && locator.position > 0) {
    position_ = locator.position;
  }
}

}  // namespace tidemill
