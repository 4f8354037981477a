// A partition host in a simulation, with a snapshot registry, a reader and a store whose messages a
// test sees and sends.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shared/member/member_agent.h"
#include "shared/runtime/sim/simulation.h"
#include "shared/snapshot/snapshots.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "shared/wire/take_over.h"
#include "tests/unit/worker/data_plane_fixture.h"
#include "tests/unit/worker/recording_runtime.h"
#include "worker/partition_host.h"

namespace tidemill::test {

inline constexpr NodeId kHostNode{10};
inline constexpr NodeId kOtherNode{11};
inline constexpr NodeId kReaderNode{20};
inline constexpr NodeId kStoreNode{30};
inline constexpr ActorId kHost{0, kPartitionHostIndex};
inline constexpr ActorId kReaders{0, kReaderHostIndex};
inline constexpr ActorId kStore{0, kStoreShardIndex};

class FakeReader : public Actor {
 public:
  void receive(Message message) override {
    const auto* report = dynamic_cast<ShardReport*>(message.local.get());
    if (report != nullptr) memory = report->shard_use;
    if (message.type == kOpenSessions) opened.push_back(*OpenSessions::decode(message.body));
    if (message.type == kBatchAck) acks.push_back(BatchAck::decode(message.body)->link_seq);
  }
  void on_timer(uint64_t) override {}
  std::vector<OpenSessions> opened;
  std::vector<uint64_t> acks;
  MemoryUse memory;  // as an agent: what was reported last
};

// The snapshot registry: keeps the newest of each key partition.
class FakeRegistry : public Actor {
 public:
  explicit FakeRegistry(Runtime& runtime) : runtime_(runtime) {}
  void receive(Message message) override {
    if (message.type == kSnapshotQuery) {
      proto::SnapshotQuery asked;
      ASSERT(asked.ParseFromArray(message.body.data(), static_cast<int>(message.body.size())));
      proto::SnapshotsKnown known;
      known.set_job(asked.job());
      for (int i = 0; i < asked.key_partitions_size(); ++i) {
        auto* entry = known.add_entries();
        entry->set_key_partition(asked.key_partitions(i));
        entry->set_epoch(asked.epochs(i));
        for (const std::string& m : manifests) entry->add_manifests(m);
      }
      runtime_.send(kAgent, message.from, kSnapshotsKnown, Buffer(known.SerializeAsString()));
    } else if (message.type == kSnapshotTaken) {
      proto::SnapshotTaken snapshot;
      ASSERT(snapshot.ParseFromArray(message.body.data(), static_cast<int>(message.body.size())));
      taken.push_back(snapshot);
      if (!answering) return;
      manifests.insert(manifests.begin(), snapshot.manifest());
      proto::SnapshotRegistered registered;
      registered.set_job(snapshot.job());
      registered.set_key_partition(snapshot.key_partition());
      registered.set_epoch(snapshot.epoch());
      registered.set_version(snapshot.version());
      for (const std::string& m : manifests) registered.add_retained(m);
      runtime_.send(kAgent, message.from, kSnapshotRegistered,
                    Buffer(registered.SerializeAsString()));
    }
  }
  void on_timer(uint64_t) override {}
  std::vector<std::string> manifests;  // newest first
  std::vector<proto::SnapshotTaken> taken;
  bool answering = true;

 private:
  Runtime& runtime_;
};

// A store whose replica of key partition 0 holds, if anything, a row at offset 40; it answers
// askings for it, as long as it is able to, as real ones do.
class FakeStore : public Actor {
 public:
  FakeStore(Runtime& runtime, std::shared_ptr<SnapshotStorage> snapshots)
      : runtime_(runtime), snapshots_(std::move(snapshots)) {
    PartitionDiskConfig config;
    config.disk = Disk::in_memory();
    config.directory = "/replica";
    config.job = JobId(1);
    config.key_partition = KeyPartitionId(0);
    config.schemas = small_plan()->tables();
    disk_ = std::move(*PartitionDisk::open(std::move(config)));
    Increment all;
    all.head.ancestry = {kHeld};
    all.head.offsets = {{40, kStart}, {}};
    all.head.rows_applied = 1;
    all.whole = true;
    all.changes.push_back({StateChange::Kind::kRows, block_of({{"a"}})});
    ASSERT(disk_->write(all).ok());
  }
  void receive(Message message) override {
    if (message.type == kRegisterReplicas) {
      const auto asked = RegisterReplicas::decode(message.body);
      ReplicaStates states{asked->job, {}};
      for (const auto& entry : asked->entries) {
        registered = entry.epoch;
        states.entries.push_back({entry.key_partition,
                                  entry.epoch,
                                  entry.session,
                                  holds_state,
                                  kHeld.epoch,
                                  kHeld.version,
                                  {{40, kStart}, {}}});
      }
      runtime_.send(kStore, message.from, kReplicaStates, states.encode());
    } else if (message.type == kFrames) {
      const auto frames = Frames::decode(std::move(message.body));
      FrameAck ack{frames->job, frames->link_seq, {}};
      for (const FramePart& part : frames->parts) {
        ack.entries.push_back({part.key_partition, part.session, part.to_version});
      }
      waiting.emplace_back(message.from, ack.encode());
      if (applying) acknowledge();
    } else if (message.type == kStateWanted) {
      wanted.push_back(*StateWanted::decode(message.body));
      if (!answering) return;
      const auto taken = upload_snapshot_of_store(disk_.get(), snapshots_.get(),
                                                  wanted.back().epoch, runtime_.node());
      ASSERT(taken.ok());
      if (damaged) {
        auto bytes = *snapshots_->get(taken->manifest);
        bytes[20] ^= 1;
        ASSERT(snapshots_->put(taken->manifest, bytes).ok());
      }
      const StateWanted& w = wanted.back();
      runtime_.send(kStore, message.from, kStateWritten,
                    StateWritten{w.job, w.key_partition, w.epoch, w.stamp,
                                 StateWritten::Outcome::kWritten, taken->manifest}
                        .encode());
    }
  }
  void on_timer(uint64_t) override {}
  void acknowledge() {
    for (const auto& [to, ack] : waiting) runtime_.send(kStore, to, kFrameAck, ack);
    waiting.clear();
  }

  static constexpr Stamp kHeld{Epoch(2), 9};
  bool holds_state = true;
  bool answering = true;
  bool damaged = false;
  bool applying = true;
  std::vector<std::pair<ActorAddress, Buffer>> waiting;  // acknowledgements of frames
  Epoch registered;
  std::vector<StateWanted> wanted;

 private:
  Runtime& runtime_;
  std::shared_ptr<SnapshotStorage> snapshots_;
  std::unique_ptr<PartitionDisk> disk_;
};

class PartitionHostTest : public testing::Test {
 protected:
  explicit PartitionHostTest(WorkerConfig config = {}) {
    config.session_retry_ms = 300;
    config.session_silence_ms = 2'000;
    config.snapshot_interval_ms = 1'000;
    coordinator_ =
        sim_.add_process({"coordinator", "sim://c", kCoordinatorNode, 1}, [](ProcessHost& h) {
          h.spawn(kAgent, [](Runtime& r) { return std::make_unique<FakeRegistry>(r); });
        });
    host_ = add_host("host", "sim://h", kHostNode, config);
    other_ = add_host("other", "sim://o", kOtherNode, config);
    reader_ = sim_.add_process({"reader", "sim://r", kReaderNode, 1}, [](ProcessHost& h) {
      h.spawn(kReaders, [](Runtime&) { return std::make_unique<FakeReader>(); });
    });
    store_ = sim_.add_process({"store", "sim://s", kStoreNode, 1}, [this](ProcessHost& h) {
      h.spawn(kStore, [this](Runtime& r) { return std::make_unique<FakeStore>(r, storage_); });
    });
    const std::map<NodeId, std::pair<SimProcessId, std::string>> all{
        {kStoreNode, {store_, "sim://s"}},
        {kReaderNode, {reader_, "sim://r"}},
        {kHostNode, {host_, "sim://h"}},
        {kOtherNode, {other_, "sim://o"}},
        {kCoordinatorNode, {coordinator_, "sim://c"}}};
    for (const auto& [from, process] : all) {
      for (const auto& [to, place] : all) {
        if (from != to) sim_.runtime(process.first).connect(to, place.second);
      }
    }
  }
  // Each on a disk of its own.
  SimProcessId add_host(const std::string& name, const std::string& endpoint, NodeId node,
                        const WorkerConfig& config) {
    const WorkerResources resources{nullptr, Disk::in_memory(), "/" + name, storage_};
    return sim_.add_process({name, endpoint, node, 1}, [=, this](ProcessHost& h) {
      h.spawn(kHost, [=, this](Runtime& r) {
        runtimes_.push_back(std::make_unique<RecordingRuntime>(r, &blocking_[name]));
        return std::make_unique<PartitionHost>(*runtimes_.back(), 1, config, resources);
      });
      h.spawn(kAgent, [](Runtime&) { return std::make_unique<FakeReader>(); });
    });
  }
  // `owner` owns key partition 0 under `epoch`; the reader reads source partition 0.
  void show(uint64_t epoch, uint64_t reader_epoch, NodeId owner = kHostNode,
            std::vector<Standby> standbys = {}) {
    owner_ = owner;
    auto view = std::make_shared<ClusterState>();
    if (with_store_) view->stores.push_back({kStoreNode, 1});
    view->jobs[JobId(1)] = {JobId(1),
                            plan_,
                            {{kReaderNode, Epoch(reader_epoch), 0}, {}},
                            {{owner, Epoch(epoch), 0, std::move(standbys)}, {}, {}, {}},
                            0,
                            trigger_};
    for (const SimProcessId process : {host_, other_}) {
      auto changed = std::make_unique<ViewChanged>();
      changed->view = view;
      sim_.post_from_outside(process, kHost, std::move(changed));
    }
    sim_.run_for(60'000);
  }
  void send(uint16_t type, Buffer body) {
    sim_.runtime(reader_).send(kReaders, {owner_, kHost}, type, std::move(body));
    sim_.run_for(20'000);
  }
  void send_rows(uint64_t session, uint64_t seq, uint64_t end, uint64_t reader_epoch = 6) {
    send(kSourceBatch, batch_of({.session = session,
                                 .seq = seq,
                                 .reader_epoch = reader_epoch,
                                 .end = {end, kStart, false}},
                                block_of({{"a"}}))
                           .bytes);
  }
  // V of key partition 0 at a process; nothing if it does not own it.
  std::optional<uint64_t> offset_at(SimProcessId process) {
    const auto owned =
        static_cast<PartitionHost*>(sim_.actor(process, kHost))->owned(JobId(1), KeyPartitionId(0));
    if (owned.empty() || owned[0].second == nullptr) return {};
    return owned[0].second->offsets()[0].offset;
  }
  FakeRegistry& registry() { return *static_cast<FakeRegistry*>(sim_.actor(coordinator_, kAgent)); }
  // Snapshots that are registered, and damaged.
  void damage_snapshots() {
    registry().manifests = {"job-00000001/k-00000/0000000000000001/manifest-0000000000000001-" +
                            std::string("0000000000000009")};
    const std::string damaged = "no manifest";
    ASSERT_TRUE(storage_
                    ->put(registry().manifests[0],
                          {reinterpret_cast<const uint8_t*>(damaged.data()), damaged.size()})
                    .ok());
  }
  FakeStore& store() { return *static_cast<FakeStore*>(sim_.actor(store_, kStore)); }
  FakeReader& reader() { return *static_cast<FakeReader*>(sim_.actor(reader_, kReaders)); }
  const OpenSessions::Session& last() { return reader().opened.back().sessions.at(0); }
  // Of what a host has asked for on the disk of key partition 0, since this was last asked.
  std::vector<Urgency> urgencies(const std::string& host) {
    std::vector<Urgency> out;
    for (const RecordingRuntime::Blocking& asked : std::exchange(blocking_[host], {})) {
      if (asked.lane == uint64_t{1} << 32) out.push_back(asked.urgency);
    }
    return out;
  }

  std::map<std::string, std::vector<RecordingRuntime::Blocking>> blocking_;  // by host
  std::vector<std::unique_ptr<RecordingRuntime>> runtimes_;
  Simulation sim_{9};
  std::shared_ptr<SnapshotStorage> storage_ = directory_storage(Disk::in_memory(), "/snapshots");
  SimProcessId coordinator_, host_, other_, reader_, store_;
  bool with_store_ = false;
  NodeId owner_ = kHostNode;
  uint64_t trigger_ = 0;
  std::shared_ptr<const Plan> plan_ = small_plan();
};

}  // namespace tidemill::test
