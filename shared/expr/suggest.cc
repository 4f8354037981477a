#include "shared/expr/suggest.h"

#include <algorithm>
#include <vector>

namespace tidemill {
namespace {

constexpr size_t kLongestName = 128;
constexpr size_t kMostNames = 20;

std::string lower(std::string_view text) {
  std::string out(text.substr(0, kLongestName));
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

std::string nearest(std::string_view name, std::span<const std::string> known) {
  const std::string wanted = lower(name);
  const size_t limit = std::max<size_t>(1, std::min<size_t>(3, wanted.size() / 3));
  std::string best;
  size_t best_distance = limit + 1;
  for (const std::string& candidate : known) {
    const size_t distance = edit_distance(wanted, lower(candidate));
    if (distance >= best_distance || distance >= candidate.size()) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string suggestion(std::string_view name, std::span<const std::string> known) {
  const std::string near = nearest(name, known);
  if (!near.empty()) return "; did you mean '" + near + "'?";
  return known.empty() ? "" : "; " + known_names(known);
}

std::string operator_advice(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kUsual[] = {
      {"==", "="}, {"&&", "and"}, {"!", "not"}, {"!==", "<>"}, {"**", "^"}};
  for (const auto& [elsewhere, here] : kUsual) {
    if (name == elsewhere) return "; write '" + std::string(here) + "' instead";
  }
  return "; docs/expressions.md lists what is";
}

std::string known_names(std::span<const std::string> names) {
  if (names.size() == 1) return "known is " + names[0];
  if (names.size() <= kMostNames) return "known are " + join_names(names, "and");
  std::string out = "known are ";
  for (const std::string& each : names.first(kMostNames)) out += each + ", ";
  return out + "...";
}

std::string clipped(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return std::string(text.substr(0, most)) + "...";
}

std::string join_names(std::span<const std::string> names, std::string_view last) {
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? " " + std::string(last) + " " : ", ";
    out += names[i];
  }
  return out;
}

}  // namespace tidemill
