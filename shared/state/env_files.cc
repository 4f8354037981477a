#include "shared/state/env_files.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "shared/state/direct_files.h"

namespace tidemill {
namespace {

constexpr uint64_t kPieceBytes = 256u << 10;

std::string parent_of(const std::string& path) {
  const size_t end = path.find_last_not_of('/');
  const size_t slash = end == std::string::npos ? end : path.rfind('/', end);
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Error disk_error(const std::string& doing, const rocksdb::Status& status) {
  const std::string message = doing + ": " + status.ToString();
  return status.IsCorruption() || is_missing(status) ? corrupt_error(message)
                                                     : retryable_error(message);
}

Status to_status(const std::string& doing, const rocksdb::Status& status) {
  return status.ok() ? Status{} : Status{disk_error(doing, status)};
}

bool is_missing(const rocksdb::Status& status) {
  return status.IsNotFound() || status.IsPathNotFound();
}

Status create_directories(rocksdb::Env* env, const std::string& path) {
  if (env->FileExists(path).ok()) return {};
  const std::string parent = parent_of(path);
  if (parent != path && parent != ".") {
    if (Status above = create_directories(env, parent); !above) return above;
  }
  if (Status made = to_status("creating " + path, env->CreateDirIfMissing(path)); !made) {
    return made;
  }
  return sync_directory(env, parent);
}

Status sync_directory(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<rocksdb::Directory> directory;
  auto s = env->NewDirectory(path, &directory);
  if (s.ok()) s = directory->Fsync();
  return to_status("syncing the directory " + path, s);
}

Status replace_file(rocksdb::Env* env, const std::string& directory, const std::string& name,
                    std::span<const uint8_t> bytes) {
  const std::string path = directory + "/" + name;
  const std::string fresh = path + ".tmp";
  std::unique_ptr<rocksdb::WritableFile> file;
  auto s = env->NewWritableFile(fresh, &file, {});
  if (s.ok()) s = file->Append({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (s.ok()) s = file->Sync();
  if (s.ok()) s = file->Close();
  if (s.ok()) s = env->RenameFile(fresh, path);
  if (!s.ok()) return disk_error("writing " + path, s);
  return sync_directory(env, directory);
}

Status read_pieces(rocksdb::Env* env, const std::string& path,
                   const std::function<void(std::span<const uint8_t>)>& take) {
  std::unique_ptr<rocksdb::SequentialFile> file;
  uint64_t size = 0;
  auto s = env->GetFileSize(path, &size);
  if (s.ok()) s = env->NewSequentialFile(path, &file, streaming_options(size));
  const auto bytes = static_cast<size_t>(std::min(size + 1, kPieceBytes));
  const auto scratch = std::make_unique_for_overwrite<char[]>(bytes);
  while (s.ok()) {
    rocksdb::Slice piece;
    s = file->Read(bytes, &piece, scratch.get());
    if (!s.ok() || piece.empty()) break;
    take({reinterpret_cast<const uint8_t*>(piece.data()), piece.size()});
  }
  return to_status("reading " + path, s);
}

Result<std::vector<uint8_t>> read_whole_file(rocksdb::Env* env, const std::string& path,
                                             uint64_t max_bytes) {
  uint64_t size = 0;
  if (auto s = env->GetFileSize(path, &size); !s.ok()) return disk_error("reading " + path, s);
  if (size > max_bytes) {
    return corrupt_error(path + " has " + std::to_string(size) + " bytes, at most " +
                         std::to_string(max_bytes) + " are possible");
  }
  std::vector<uint8_t> bytes;
  bytes.reserve(size);
  Status read = read_pieces(env, path, [&](std::span<const uint8_t> piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  });
  if (!read) return read.error();
  return bytes;
}

Status link_or_copy(rocksdb::Env* env, const std::string& from, const std::string& to) {
  if (env->LinkFile(from, to).ok()) return {};
  std::unique_ptr<rocksdb::WritableFile> file;
  auto s = env->NewWritableFile(to, &file, {});
  if (s.ok()) {
    Status read = read_pieces(env, from, [&](std::span<const uint8_t> piece) {
      if (s.ok()) s = file->Append({reinterpret_cast<const char*>(piece.data()), piece.size()});
    });
    if (!read) return read;
  }
  if (s.ok()) s = file->Close();
  return to_status("copying " + from + " to " + to, s);
}

}  // namespace tidemill
