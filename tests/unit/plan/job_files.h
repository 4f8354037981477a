// A temporary directory with input files, for jobs to be compiled in.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tidemill::test {

class JobDirectory {
 public:
  explicit JobDirectory(const std::vector<std::string>& files) {
    std::string name = (std::filesystem::temp_directory_path() / "tidemill_jobs_XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    for (const std::string& file : files) {
      const std::filesystem::path at = path_ / file;
      std::filesystem::create_directories(at.parent_path());
      std::ofstream(at) << "\n";
    }
  }
  ~JobDirectory() { std::filesystem::remove_all(path_); }
  JobDirectory(const JobDirectory&) = delete;
  JobDirectory& operator=(const JobDirectory&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace tidemill::test
