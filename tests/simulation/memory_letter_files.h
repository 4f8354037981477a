// MemoryLetterFiles: a file system in memory for dead letters, which processes share and outlive.
// Writes can be made to fail half way, and power can be lost. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "shared/dead_letter/letter_files.h"

namespace tidemill::test {

class MemoryLetterFiles : public LetterFiles,
                          public std::enable_shared_from_this<MemoryLetterFiles> {
 public:
  // How many of the bytes of a write get through; less than all: the write fails after them.
  using Tear = std::function<size_t(const std::string& path, size_t bytes)>;
  void set_tear(Tear tear) { tear_ = std::move(tear); }

  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<uint64_t> size(const std::string& path) override;
  Result<size_t> read(const std::string& path, uint64_t offset, std::span<char> into) override;
  Status sync(const std::string& path) override;
  Result<std::unique_ptr<LetterFile>> open(const std::string& path) override;
  std::string full_path(const std::string& path) const override { return "memory:" + path; }

  // What was visible and not durable is lost, but for a part: `keep` is given how many bytes there
  // are of it in a file, and says how many of them stay.
  void lose_power(const std::function<size_t(size_t bytes)>& keep);
  // A copy as it would be found if power were lost now and nothing stayed that is not durable.
  std::shared_ptr<MemoryLetterFiles> durable() const;

  // To look at, and to spoil.
  std::map<std::string, std::string> contents() const;
  void put(const std::string& path, const std::string& bytes);
  void remove(const std::string& path) { files_.erase(path); }

 private:
  class Open;
  struct File {
    std::string bytes;
    size_t durable = 0;  // of the bytes
  };

  Status write(const std::string& path, uint64_t offset, std::string_view bytes);

  std::map<std::string, File> files_;
  Tear tear_;
};

}  // namespace tidemill::test
