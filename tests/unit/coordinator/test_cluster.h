// A coordinator and members that only speak the control plane, in a simulation.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/config.h"
#include "coordinator/coordinator.h"
#include "coordinator/metadata_store.h"
#include "proto/control.pb.h"
#include "shared/runtime/sim/simulation.h"

namespace tidemill::testing {

// Heartbeats, applies views as MemberAgent does, and remembers being fenced. It checks what every
// member relies on: versions of views grow, and so does every partition's epoch.
class FakeMember : public Actor {
 public:
  FakeMember(Runtime& runtime, proto::Role role) : runtime_(runtime), role_(role) {}

  void start() override;
  void receive(Message message) override;
  void on_timer(uint64_t) override;

  const proto::ClusterView& view() const { return view_; }
  bool fenced() const { return fenced_; }
  // What its next heartbeats say of jobs.
  std::vector<proto::JobReport> reports;
  std::map<std::string, uint64_t> memory;  // by consumer
  // Of what it owns, that all who follow it have caught up.
  bool says_caught_up = false;
  // What it repeats to the snapshot registry with every heartbeat, and what it was answered.
  std::vector<proto::SnapshotTaken> claims;
  std::vector<proto::SnapshotQuery> queries;
  std::vector<proto::SnapshotRegistered> registered;
  std::vector<proto::SnapshotsKnown> known;

 private:
  void apply(proto::ClusterView view);
  void report_standbys(proto::Heartbeat* beat) const;
  void tell(uint16_t type, const std::string& bytes);

  Runtime& runtime_;
  proto::Role role_;
  proto::ClusterView view_;
  std::string instance_;
  bool fenced_ = false;
};

// Topics and directories as a test says they are.
class FakeCatalog : public SourceCatalog {
 public:
  Status bind(proto::Source* source) override;
  Status discover(proto::Source* source) override;

  std::map<std::string, uint32_t> topics;  // partitions; binding another one is an error
  std::vector<std::string> files;          // all that match the patterns of whatever source
  std::string error;                       // of discover
};

class TestCluster {
 public:
  explicit TestCluster(uint64_t seed, CoordinatorConfig config = {}, SimConfig sim_config = {});

  SimProcessId add_worker(uint16_t shards = 1);
  SimProcessId add_store();

  Coordinator& coordinator();
  FakeMember& member(SimProcessId process);
  uint64_t node(SimProcessId process) const { return sim.node(process).value; }

  // Runs until the condition holds, at most so long.
  bool wait(const std::function<bool()>& condition, int64_t at_most_us = 30'000'000);
  HttpResponse call(const std::string& method, const std::string& target,
                    const std::string& body = "");
  // Every key partition of the first live job in the member's view, by owner.
  std::map<uint64_t, int> owners(SimProcessId process);
  bool all_owned(SimProcessId process);

  // In the order that they are destroyed last to first: the disk outlives the processes.
  std::shared_ptr<Disk> disk = Disk::in_memory();
  Simulation sim;
  SimProcessId coordinator_process;

 private:
  SimProcessId add_member(proto::Role role, uint16_t shards);
};

// A job over a generator, with 8 key partitions and 2 source partitions.
std::string small_yaml(const std::string& name);

}  // namespace tidemill::testing
