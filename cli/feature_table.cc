#include "cli/feature_table.h"

#include <algorithm>

#include "cli/api.h"
#include "cli/table.h"
#include "shared/base/time.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

// Before the digits of a number that is kept as a string.
constexpr char kDigits = '\x01';

class DigitKeeper : public nlohmann::detail::json_sax_dom_parser<json> {
 public:
  using Parser = nlohmann::detail::json_sax_dom_parser<json>;
  explicit DigitKeeper(json* out) : Parser(*out, false) {}

  bool number_float(double value, const std::string& text) {
    if (json(value).dump() == text) return Parser::number_float(value, text);
    std::string kept = kDigits + text;
    return Parser::string(kept);
  }
};

std::string text_of_value(const json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text != nullptr && text->starts_with(kDigits) ? text->substr(1) : value.dump();
}

const json& at(const json& list, size_t index) {
  static const json kNull;
  return list.is_array() && index < list.size() ? list[index] : kNull;
}

// Lists may be long: their first elements, and how many there are if that is not all.
std::string list_text(const json& list) {
  constexpr size_t kShown = 5;
  std::string out = "[";
  for (size_t i = 0; i < std::min(list.size(), kShown); ++i) {
    out += (i > 0 ? ", " : "") + text_of_value(list[i]);
  }
  if (list.size() > kShown) out += ", ... " + std::to_string(list.size()) + " in all";
  return out + "]";
}

std::string object_text(const json& object) {
  std::string out = "{";
  for (const auto& [key, value] : object.items()) {
    out += (out.size() > 1 ? "," : "") + json(key).dump() + ":" + text_of_value(value);
  }
  return out + "}";
}

std::string cell(const json& value, const std::string& status) {
  if (status == "NOT_READY") return "(not ready)";
  std::string text = text_of_value(value);
  if (value.is_array()) text = list_text(value);
  if (value.is_object()) text = object_text(value);
  if (value.is_string() && text[0] == '"') text = value.get<std::string>();
  if (status == "NOT_FOUND") text += " (no rows)";
  return text;
}

// Nothing of a value that is complete.
std::string filling(const json& since) {
  if (!since.is_number_integer()) return "";
  return " (fills: complete from " + format_timestamp(since.get<int64_t>()) + ")";
}

// The line above the table: the time of the values, and how old they may be at most.
std::string caption(const json& answer) {
  std::string out = "as of " + text_of(answer, "as_of");
  int64_t stalest_ms = -1;
  for (const json& result : list_of(answer, "results")) {
    for (const json& ms : list_of(result, "freshness_ms")) {
      if (ms.is_number_integer()) stalest_ms = std::max(stalest_ms, ms.get<int64_t>());
    }
  }
  if (stalest_ms >= 0) out += ", fresh to " + with_separators(uint64_t(stalest_ms)) + " ms";
  return out + "\n";
}

}  // namespace

json answer_with_digits(const std::string& body) {
  json out;
  DigitKeeper keeper(&out);
  if (!json::sax_parse(body, &keeper)) return nullptr;
  return out;
}

std::string feature_table(const json& answer, const std::vector<std::string>& rows,
                          const json& before) {
  std::vector<std::string> header{"FEATURE"};
  header.insert(header.end(), rows.begin(), rows.end());
  Table table(std::move(header));
  for (size_t row = 0; row < rows.size(); ++row) table.align_right(row + 1);
  const json& results = list_of(answer, "results");
  const json& old_results = list_of(before, "results");
  for (size_t f = 0; f < results.size(); ++f) {
    const json& values = list_of(results[f], "values");
    const json& statuses = list_of(results[f], "statuses");
    const json& old_values = list_of(at(old_results, f), "values");
    std::vector<std::string> line{text_of(results[f], "feature")};
    for (size_t row = 0; row < rows.size(); ++row) {
      const json& status = at(statuses, row);
      std::string text = cell(at(values, row), status.is_string() ? status.get<std::string>() : "");
      text += filling(at(list_of(results[f], "complete_since_us"), row));
      if (row < old_values.size() && old_values[row] != at(values, row)) text += '*';
      line.push_back(std::move(text));
    }
    table.add(std::move(line));
  }
  return caption(answer) + table.render();
}

}  // namespace tidemill::cli
