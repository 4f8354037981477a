// LetterFiles: the few things that dead letters need of a file system, which all processes of a
// cluster share. Paths are "<directory>/<name>" below the storage's root. Blocking. thread-safe
//
// What is visible to readers need not be durable yet; sync() makes it so. A failed write may leave
// any prefix of its bytes. No file is ever shortened.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

// One file, of its one writer.
class LetterFile {
 public:
  virtual ~LetterFile() = default;
  virtual uint64_t size() const = 0;  // when it was opened
  // Puts the bytes at `offset`, which is at most the file's size. They and the file's name are
  // durable when it returns.
  virtual Status write(uint64_t offset, std::string_view bytes) = 0;
};

class LetterFiles {
 public:
  virtual ~LetterFiles() = default;
  // Names within the directory, sorted; none if there is no such directory.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  // In bytes; 0 if there is no such file.
  virtual Result<uint64_t> size(const std::string& path) = 0;
  // As many bytes as are there, from `offset`; 0 at the end, or if there is no such file.
  virtual Result<size_t> read(const std::string& path, uint64_t offset, std::span<char> into) = 0;
  // All that is visible of the file becomes durable, with its name.
  virtual Status sync(const std::string& path) = 0;
  // Opens it to write; it is made, and its directory too, if it does not exist.
  virtual Result<std::unique_ptr<LetterFile>> open(const std::string& path) = 0;
  // The path as people find it.
  virtual std::string full_path(const std::string& path) const = 0;
};

// Files below a directory, which is made when the first one is.
std::shared_ptr<LetterFiles> letter_directory(std::string root);

// The directory of a job, and the name of the file of one source partition and epoch in it.
struct LetterFileName {
  uint32_t source_partition = 0;
  uint64_t epoch = 0;
};
std::string letter_directory_of(const std::string& job_name, uint32_t job);
std::string to_file_name(const LetterFileName& name);
// False if it is not one.
bool parse_file_name(std::string_view text, LetterFileName* name);

}  // namespace tidemill
