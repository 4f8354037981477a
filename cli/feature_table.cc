#include "cli/feature_table.h"

#include <algorithm>

#include "cli/api.h"
#include "cli/table.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

const json& at(const json& list, size_t index) {
  static const json kNull;
  return list.is_array() && index < list.size() ? list[index] : kNull;
}

// Lists may be long: their first elements, and how many there are if that is not all.
std::string list_text(const json& list) {
  constexpr size_t kShown = 5;
  std::string out = "[";
  for (size_t i = 0; i < std::min(list.size(), kShown); ++i) {
    out += (i > 0 ? ", " : "") + list[i].dump();
  }
  if (list.size() > kShown) out += ", ... " + std::to_string(list.size()) + " in all";
  return out + "]";
}

std::string cell(const json& value, const std::string& status) {
  if (status == "NOT_READY") return "(not ready)";
  std::string text = value.is_string()  ? value.get<std::string>()
                     : value.is_array() ? list_text(value)
                                        : value.dump();
  if (status == "NOT_FOUND") text += " (no rows)";
  return text;
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
      if (row < old_values.size() && old_values[row] != at(values, row)) text += '*';
      line.push_back(std::move(text));
    }
    table.add(std::move(line));
  }
  return caption(answer) + table.render();
}

}  // namespace tidemill::cli
