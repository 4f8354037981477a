// The coordinator's metadata in etcd, written by the leader only: every transaction compares the
// leader's term and the last commit, so a deposed leader's writes are refused, and none lands late
// or twice.
#pragma once

#include <memory>
#include <optional>

#include "coordinator/etcd_election.h"
#include "coordinator/etcd_layout.h"
#include "coordinator/key_value_store.h"

namespace tidemill {

class EtcdStore : public KeyValueStore {
 public:
  // A client of its own: the election renews its lease while this one writes. Used once the
  // election has been won.
  EtcdStore(std::unique_ptr<EtcdClient> client, std::shared_ptr<const EtcdElection> election,
            EtcdLimits limits = {});

  Result<KeyValues> load() override;
  Status commit(const KeyValueBatch& batch) override;
  // etcd's own consistency stands for it.
  Result<uint64_t> noted_generation() override { return uint64_t{0}; }
  Status note_generation(uint64_t) override { return {}; }

 private:
  Status apply(const EtcdStep& step);

  std::unique_ptr<EtcdClient> client_;
  std::shared_ptr<const EtcdElection> election_;
  EtcdLimits limits_;
  EtcdContents contents_;         // after the last commit
  std::optional<EtcdPlan> plan_;  // of the commit under way
  size_t done_ = 0;               // of its steps
};

}  // namespace tidemill
