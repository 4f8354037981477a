#include "shared/snapshot/object_name.h"

#include <algorithm>

namespace tidemill {
namespace {

constexpr size_t kMaxNameBytes = 512;

bool is_part(std::string_view part) {
  if (part.empty() || part.front() == '.') return false;
  return std::all_of(part.begin(), part.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace

bool is_object_name(std::string_view name) {
  if (name.size() > kMaxNameBytes || name.ends_with(kPartialSuffix)) return false;
  while (true) {
    const size_t slash = name.find('/');
    if (!is_part(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Status check_object_name(std::string_view name) {
  if (is_object_name(name)) return {};
  return corrupt_error("'" + std::string(name.substr(0, kMaxNameBytes)) +
                       "' cannot be the name of an object in snapshot storage");
}

std::string_view without_partial_suffix(std::string_view name) {
  if (name.ends_with(kPartialSuffix)) name.remove_suffix(kPartialSuffix.size());
  return name;
}

}  // namespace tidemill
