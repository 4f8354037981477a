// A SnapshotStorage in memory that remembers what it was asked to do, and fails when told to.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "shared/snapshot/snapshot_storage.h"

namespace tidemill::testing {

class RecordingStorage : public SnapshotStorage {
 public:
  RecordingStorage() : disk_(Disk::in_memory()), directory_(directory_storage(disk_, "/s")) {}

  // Calls for which it gives true fail; "put NAME", "get NAME" and so on.
  std::function<bool(const std::string&)> fails = [](const std::string&) { return false; };
  std::vector<std::string> calls;

  const std::shared_ptr<Disk>& disk() const { return disk_; }
  static std::string path_of(const std::string& object) { return "/s/" + object; }
  bool has(const std::string& name) { return directory_->get(name).ok(); }
  // The names of objects that were put or fetched, without the part before the last slash.
  std::vector<std::string> files_of(const std::string& verb) const {
    std::vector<std::string> out;
    for (const std::string& call : calls) {
      if (call.starts_with(verb + " ")) out.push_back(call.substr(call.rfind('/') + 1));
    }
    return out;
  }

  Status put(const std::string& name, std::span<const uint8_t> bytes) override {
    return refused("put", name) ? Status(away()) : directory_->put(name, bytes);
  }
  Status put_file(const std::string& name, const Disk& disk, const std::string& path) override {
    return refused("put", name) ? Status(away()) : directory_->put_file(name, disk, path);
  }
  Result<std::vector<uint8_t>> get(const std::string& name) override {
    if (refused("get", name)) return away();
    return directory_->get(name);
  }
  Status get_file(const std::string& name, const Disk& disk, const std::string& path) override {
    return refused("get", name) ? Status(away()) : directory_->get_file(name, disk, path);
  }
  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    if (refused("list", prefix)) return away();
    return directory_->list(prefix);
  }
  Status remove(const std::string& name) override {
    return refused("remove", name) ? Status(away()) : directory_->remove(name);
  }

 private:
  bool refused(const std::string& verb, const std::string& name) {
    calls.push_back(verb + " " + name);
    return fails(calls.back());
  }
  static Error away() { return retryable_error("storage is away"); }

  std::shared_ptr<Disk> disk_;
  std::shared_ptr<SnapshotStorage> directory_;
};

}  // namespace tidemill::testing
