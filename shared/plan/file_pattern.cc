#include "shared/plan/file_pattern.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "shared/base/utf8.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

// The base directory is a name, not a pattern.
std::string escaped(const std::string& path) {
  std::string out;
  for (char c : path) {
    if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

bool is_regular_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

std::string normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

}  // namespace

std::string absolute_pattern(const std::string& pattern, const std::string& base_dir) {
  if (!pattern.empty() && pattern[0] == '/') return pattern;
  std::error_code ignored;
  return escaped(std::filesystem::absolute(base_dir, ignored).string()) + "/" + pattern;
}

Result<std::vector<std::string>> matching_files(const std::string& absolute_pattern) {
  glob_t found{};
  const int rc = ::glob(absolute_pattern.c_str(), GLOB_ERR | GLOB_NOSORT, nullptr, &found);
  std::vector<std::string> out;
  for (size_t i = 0; i < found.gl_pathc; ++i) {
    if (is_regular_file(found.gl_pathv[i])) out.push_back(normal(found.gl_pathv[i]));
  }
  ::globfree(&found);
  const std::string shown = printable(absolute_pattern, absolute_pattern.size());
  if (rc != 0 && rc != GLOB_NOMATCH) {
    return user_error("cannot read the directories of '" + shown +
                      "'; give everyone who reads the job the right to list them");
  }
  if (out.size() > limits::kSourcePartitions) {
    return user_error("'" + shown + "' matches " + std::to_string(out.size()) + " files; at most " +
                      std::to_string(limits::kSourcePartitions) + " are allowed");
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<std::string>> expand_pattern(const std::string& pattern,
                                                const std::string& base_dir) {
  Result<std::vector<std::string>> found = matching_files(absolute_pattern(pattern, base_dir));
  if (!found.ok() || !found->empty()) return found;
  std::error_code ignored;
  const bool absolute = !pattern.empty() && pattern[0] == '/';
  const std::string directory = std::filesystem::absolute(base_dir, ignored).string();
  return user_error("no file matches '" + pattern + "'" +
                    (absolute ? "" : " in " + printable(directory, directory.size())) +
                    "; name files that are there, or add follow: true if they are yet to come");
}

}  // namespace tidemill
