// StateDirectory: the files of one key partition's state in its directory: which manifest counts,
// how a new one is made durable, and what may go.
#pragma once

#include <rocksdb/env.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "proto/state.pb.h"
#include "shared/base/result.h"
#include "shared/state/partition_disk.h"

namespace tidemill {

class StateDirectory {
 public:
  explicit StateDirectory(const PartitionDiskConfig& config);

  // The job was changed: further tables, or none.
  void set_schemas(TableSchemas schemas) { schemas_ = std::move(schemas); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  rocksdb::Env* env() const { return disk_->env(); }
  const std::shared_ptr<Disk>& disk() const { return disk_; }

  struct Loaded {
    std::optional<proto::StateManifest> newest;    // of those that verify
    std::optional<proto::StateManifest> previous;  // the next older one that can be read
    uint32_t refused = 0;
  };
  // Creates the directory if there is none. Manifests that do not verify are logged.
  Result<Loaded> load();
  // That the manifest is of this key partition and of these tables, and that all its files are here
  // and are what was written.
  Status verify(const proto::StateManifest& manifest);
  // Makes the manifest and the names of its files durable.
  Status commit(const proto::StateManifest& manifest);
  // Removes what none of these manifests names, but for the directory `links`. The first error
  // is returned after the rest was tried.
  Status remove_unused(const std::vector<const proto::StateManifest*>& held,
                       const std::string& links);

 private:
  Result<proto::StateManifest> read(const std::string& name) const;
  Status check_identity(const proto::StateManifest& manifest) const;
  void load_one(const std::string& name, Loaded* loaded);
  void refuse(const std::string& name, const Error& error, Loaded* loaded) const;

  std::shared_ptr<Disk> disk_;
  std::string directory_;
  JobId job_;
  KeyPartitionId key_partition_;
  TableSchemas schemas_;
  std::unordered_set<std::string> verified_;  // while loading: names of files that are good
};

}  // namespace tidemill
