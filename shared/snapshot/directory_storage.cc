// SnapshotStorage in a directory. A put writes <object>.partial, syncs it, renames it, and syncs
// every directory on the way down: one that another process has made may not be durable yet.
#include <rocksdb/env.h>

#include <algorithm>

#include "shared/snapshot/disk_files.h"
#include "shared/snapshot/object_name.h"
#include "shared/snapshot/snapshot_storage.h"
#include "shared/state/env_files.h"

namespace tidemill {
namespace {

constexpr uint64_t kMaxGetBytes = 1u << 30;
constexpr int kDirectoryTries = 3;

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class DirectoryStorage : public SnapshotStorage {
 public:
  DirectoryStorage(std::shared_ptr<Disk> disk, std::string root)
      : disk_(std::move(disk)), root_(std::move(root)) {
    while (root_.size() > 1 && root_.back() == '/') root_.pop_back();
  }

  Status put(const std::string& name, std::span<const uint8_t> bytes) override {
    return put_with(name, bytes.size(), [bytes](FileSink* sink) { return sink->append(bytes); });
  }

  Status put_file(const std::string& name, const Disk& disk, const std::string& path) override {
    FileSource source(disk, path);
    if (Status opened = source.open(); !opened) return opened;
    return put_with(name, source.size(), [&source](FileSink* sink) {
      return copy(&source, [sink](std::span<const uint8_t> bytes) { return sink->append(bytes); });
    });
  }

  Result<std::vector<uint8_t>> get(const std::string& name) override {
    FileSource source(*disk_, path_of(name));
    if (Status opened = open_object(name, &source); !opened) return opened.error();
    if (source.size() > kMaxGetBytes) return corrupt_error(path_of(name) + " is too large");
    std::vector<uint8_t> out;
    out.reserve(source.size());
    Status done = copy(&source, [&out](std::span<const uint8_t> bytes) {
      out.insert(out.end(), bytes.begin(), bytes.end());
      return Status{};
    });
    if (!done) return done.error();
    return out;
  }

  Status get_file(const std::string& name, const Disk& disk, const std::string& path) override {
    FileSource source(*disk_, path_of(name));
    if (Status opened = open_object(name, &source); !opened) return opened;
    FileSink sink(disk, path);
    if (Status opened = sink.open(source.size()); !opened) return opened;
    Status done =
        copy(&source, [&sink](std::span<const uint8_t> bytes) { return sink.append(bytes); });
    if (!done) return done;
    return sink.finish();
  }

  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    std::vector<StoredObject> out;
    const size_t slash = prefix.rfind('/');
    const std::string above = slash == std::string::npos ? "" : prefix.substr(0, slash);
    if (!above.empty() && !is_object_name(above)) return out;
    if (Status walked = walk(above, prefix, &out); !walked) return walked.error();
    std::sort(out.begin(), out.end(),
              [](const StoredObject& a, const StoredObject& b) { return a.name < b.name; });
    return out;
  }

  Status remove(const std::string& name) override {
    if (Status named = check_object_name(without_partial_suffix(name)); !named) return named;
    const rocksdb::Status done = disk_->env()->DeleteFile(path_of(name));
    if (!done.ok() && !is_missing(done)) return disk_error("removing " + path_of(name), done);
    remove_empty(parent_of(path_of(name)));
    return {};
  }

 private:
  std::string path_of(const std::string& name) const { return root_ + "/" + name; }

  // A root that is not there, or that is empty where something is looked for, may be a file system
  // that is not mounted: it tells nothing about objects.
  Status check_root() const {
    std::vector<std::string> children;
    disk_->env()->GetChildren(root_, &children).PermitUncheckedError();
    for (const std::string& child : children) {
      if (child != "." && child != "..") return {};
    }
    return retryable_error("the directory of snapshot storage, " + root_ +
                           ", is empty or not there; is it mounted?");
  }

  Status open_object(const std::string& name, FileSource* source) const {
    if (Status named = check_object_name(name); !named) return named;
    Status opened = source->open();
    if (opened || opened.error().code() != ErrorCode::kCorrupt) return opened;
    if (Status there = check_root(); !there) return there;
    return opened;
  }

  template <typename Write>
  Status put_with(const std::string& name, uint64_t bytes, Write write) {
    if (Status named = check_object_name(name); !named) return named;
    const std::string path = path_of(name);
    const std::string partial = path + std::string(kPartialSuffix);
    FileSink sink(*disk_, partial);
    if (Status opened = open_below(name, bytes, &sink); !opened) return opened;
    Status written = write(&sink);
    if (written) written = sink.finish();
    if (!written) {
      disk_->env()->DeleteFile(partial).PermitUncheckedError();
      return written;
    }
    const rocksdb::Status renamed = disk_->env()->RenameFile(partial, path);
    if (!renamed.ok()) return disk_error("renaming " + partial, renamed);
    return sync_directories(name);
  }

  // Another may just be removing a directory that it found empty.
  Status open_below(const std::string& name, uint64_t bytes, FileSink* sink) {
    Status opened;
    for (int i = 0; i < kDirectoryTries; ++i) {
      Status made = make_directories(name);
      if (!made) return made;
      opened = sink->open(bytes);
      if (opened) break;
    }
    return opened;
  }

  Status make_directories(const std::string& name) {
    if (Status made = create_directories(disk_->env(), root_); !made) return made;
    for (size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
      const std::string directory = path_of(name.substr(0, at));
      const rocksdb::Status made = disk_->env()->CreateDirIfMissing(directory);
      if (!made.ok()) return disk_error("making " + directory, made);
    }
    return {};
  }

  Status sync_directories(const std::string& name) {
    for (size_t at = name.rfind('/'); at != std::string::npos; at = name.rfind('/', at - 1)) {
      if (Status synced = sync_directory(disk_->env(), path_of(name.substr(0, at))); !synced)
        return synced;
      if (at == 0) break;
    }
    return sync_directory(disk_->env(), root_);
  }

  // Those below `directory` (from the root) whose names begin with `prefix`.
  Status walk(const std::string& directory, const std::string& prefix,
              std::vector<StoredObject>* out) {
    std::vector<std::string> children;
    const std::string path = directory.empty() ? root_ : path_of(directory);
    const rocksdb::Status listed = disk_->env()->GetChildren(path, &children);
    if (is_missing(listed)) return {};  // none was made, or it was removed meanwhile
    if (!listed.ok()) return disk_error("listing " + path, listed);
    // RocksDB's file system in memory repeats itself.
    std::sort(children.begin(), children.end());
    children.erase(std::unique(children.begin(), children.end()), children.end());
    for (const std::string& child : children) {
      const std::string name = directory.empty() ? child : directory + "/" + child;
      const size_t common = std::min(name.size(), prefix.size());
      if (name.compare(0, common, prefix, 0, common) != 0) continue;
      if (Status walked = walk_child(name, prefix, out); !walked) return walked;
    }
    return {};
  }

  Status walk_child(const std::string& name, const std::string& prefix,
                    std::vector<StoredObject>* out) {
    if (!is_object_name(without_partial_suffix(name))) return {};  // somebody else's
    if (is_directory(disk_->env(), path_of(name))) return walk(name, prefix, out);
    StoredObject object{name, 0};
    const rocksdb::Status sized = disk_->env()->GetFileSize(path_of(name), &object.bytes);
    if (is_missing(sized)) return {};
    if (!sized.ok()) return disk_error("looking at " + path_of(name), sized);
    if (name.starts_with(prefix)) out->push_back(std::move(object));
    return {};
  }

  // Empty directories below the root, upwards; best effort.
  void remove_empty(std::string directory) {
    while (directory.size() > root_.size()) {
      std::vector<std::string> children;
      if (!disk_->env()->GetChildren(directory, &children).ok()) return;
      std::erase_if(children, [](const std::string& c) { return c == "." || c == ".."; });
      if (!children.empty() || !disk_->env()->DeleteDir(directory).ok()) return;
      directory = parent_of(directory);
    }
  }

  std::shared_ptr<Disk> disk_;
  std::string root_;
};

}  // namespace

std::shared_ptr<SnapshotStorage> directory_storage(std::shared_ptr<Disk> disk,
                                                   const std::string& directory) {
  return std::make_shared<DirectoryStorage>(std::move(disk), directory);
}

}  // namespace tidemill
