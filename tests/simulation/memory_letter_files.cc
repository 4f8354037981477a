#include "tests/simulation/memory_letter_files.h"

#include <algorithm>
#include <cstring>

namespace tidemill::test {

class MemoryLetterFiles::Open : public LetterFile {
 public:
  Open(std::shared_ptr<MemoryLetterFiles> files, std::string path, uint64_t size)
      : files_(std::move(files)), path_(std::move(path)), size_(size) {}
  uint64_t size() const override { return size_; }
  Status write(uint64_t offset, std::string_view bytes) override {
    return files_->write(path_, offset, bytes);
  }

 private:
  std::shared_ptr<MemoryLetterFiles> files_;
  std::string path_;
  uint64_t size_;
};

Result<std::vector<std::string>> MemoryLetterFiles::list(const std::string& directory) {
  std::vector<std::string> names;
  const std::string prefix = directory + "/";
  for (const auto& [path, file] : files_) {
    if (path.starts_with(prefix)) names.push_back(path.substr(prefix.size()));
  }
  return names;
}

Result<uint64_t> MemoryLetterFiles::size(const std::string& path) {
  const auto file = files_.find(path);
  return file == files_.end() ? uint64_t{0} : uint64_t{file->second.bytes.size()};
}

Result<size_t> MemoryLetterFiles::read(const std::string& path, uint64_t offset,
                                       std::span<char> into) {
  const auto file = files_.find(path);
  if (file == files_.end() || offset >= file->second.bytes.size()) return size_t{0};
  const std::string& bytes = file->second.bytes;
  const size_t n = std::min(into.size(), bytes.size() - static_cast<size_t>(offset));
  std::memcpy(into.data(), bytes.data() + offset, n);
  return n;
}

Status MemoryLetterFiles::sync(const std::string& path) {
  const auto file = files_.find(path);
  if (file != files_.end()) file->second.durable = file->second.bytes.size();
  return {};
}

Result<std::unique_ptr<LetterFile>> MemoryLetterFiles::open(const std::string& path) {
  return std::unique_ptr<LetterFile>(
      std::make_unique<Open>(shared_from_this(), path, files_[path].bytes.size()));
}

Status MemoryLetterFiles::write(const std::string& path, uint64_t offset, std::string_view bytes) {
  const auto found = files_.find(path);
  if (found == files_.end()) return retryable_error(full_path(path) + " was deleted");
  File& file = found->second;
  ASSERT(offset <= file.bytes.size());
  const size_t through = tear_ ? std::min(tear_(path, bytes.size()), bytes.size()) : bytes.size();
  // Writing the same bytes over themselves endangers nothing.
  const auto differs = std::mismatch(file.bytes.begin() + static_cast<ptrdiff_t>(offset),
                                     file.bytes.end(), bytes.begin(), bytes.end());
  file.durable = std::min(file.durable, static_cast<size_t>(differs.first - file.bytes.begin()));
  file.bytes.resize(std::max<size_t>(file.bytes.size(), offset + through));
  std::memcpy(file.bytes.data() + offset, bytes.data(), through);
  if (through < bytes.size()) return retryable_error("no space left for " + full_path(path));
  file.durable = file.bytes.size();
  return {};
}

void MemoryLetterFiles::lose_power(const std::function<size_t(size_t bytes)>& keep) {
  for (auto& [path, file] : files_) {
    file.bytes.resize(file.durable + keep(file.bytes.size() - file.durable));
    file.durable = file.bytes.size();
  }
}

std::shared_ptr<MemoryLetterFiles> MemoryLetterFiles::durable() const {
  auto copy = std::make_shared<MemoryLetterFiles>();
  copy->files_ = files_;
  copy->lose_power([](size_t) { return size_t{0}; });
  return copy;
}

std::map<std::string, std::string> MemoryLetterFiles::contents() const {
  std::map<std::string, std::string> out;
  for (const auto& [path, file] : files_) out[path] = file.bytes;
  return out;
}

void MemoryLetterFiles::put(const std::string& path, const std::string& bytes) {
  files_[path] = {bytes, bytes.size()};
}

}  // namespace tidemill::test
