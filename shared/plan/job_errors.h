// The errors found in a job, each with its place.
#pragma once

#include <string>
#include <vector>

#include "shared/plan/yaml_job.h"

namespace tidemill {

// The path of what is wrong with the document as a whole.
inline constexpr char kWholeDocument[] = "document";

struct Place {
  int line = 0;    // 1-based
  int column = 0;  // 1-based
};

// Collects errors; the first limits::kJobErrors of them are kept.
class ErrorList {
 public:
  void add(Place place, const std::string& path, const std::string& message);
  bool empty() const { return errors_.empty(); }
  size_t size() const { return errors_.size(); }
  // In order of line and column.
  std::vector<JobError> sorted() &&;

 private:
  std::vector<JobError> errors_;
};

}  // namespace tidemill
