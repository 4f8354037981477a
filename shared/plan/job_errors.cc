#include "shared/plan/job_errors.h"

#include <algorithm>
#include <tuple>

#include "shared/expr/suggest.h"
#include "shared/plan/limits.h"

namespace tidemill {

void ErrorList::add(Place place, const std::string& path, const std::string& message) {
  if (errors_.size() >= limits::kJobErrors) return;
  constexpr size_t kMostPathBytes = 500;
  constexpr size_t kMostMessageBytes = 2000;
  errors_.push_back({place.line, place.column, clipped(path, kMostPathBytes),
                     clipped(message, kMostMessageBytes)});
}

std::vector<JobError> ErrorList::sorted() && {
  std::stable_sort(errors_.begin(), errors_.end(), [](const JobError& a, const JobError& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return std::move(errors_);
}

std::string to_string(const JobError& error, std::string_view file_name) {
  std::string out(file_name);
  if (error.line > 0) {
    out += ":" + std::to_string(error.line) + ":" + std::to_string(error.column);
  }
  if (!error.path.empty()) out += ": " + error.path;
  return out + ": " + error.message;
}

}  // namespace tidemill
