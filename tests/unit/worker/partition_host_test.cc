// How a partition host opens its sessions with readers, and opens them anew; how it takes
// snapshots, begins with them, and follows an owner as its standby.
#include "worker/partition_host.h"

#include <gtest/gtest.h>

#include <optional>

#include "shared/runtime/sim/simulation.h"
#include "shared/snapshot/snapshots.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "shared/wire/take_over.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill::test {
namespace {

constexpr NodeId kHostNode{10};
constexpr NodeId kOtherNode{11};
constexpr NodeId kReaderNode{20};
constexpr NodeId kStoreNode{30};
constexpr ActorId kHost{0, kPartitionHostIndex};
constexpr ActorId kReaders{0, kReaderHostIndex};
constexpr ActorId kStore{0, kStoreShardIndex};

class FakeReader : public Actor {
 public:
  void receive(Message message) override {
    if (message.type == kOpenSessions) opened.push_back(*OpenSessions::decode(message.body));
    if (message.type == kBatchAck) acks.push_back(BatchAck::decode(message.body)->link_seq);
  }
  void on_timer(uint64_t) override {}
  std::vector<OpenSessions> opened;
  std::vector<uint64_t> acks;
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
    return sim_.add_process({name, endpoint, node, 1}, [config, resources](ProcessHost& h) {
      h.spawn(kHost, [config, resources](Runtime& r) {
        return std::make_unique<PartitionHost>(r, 1, config, resources);
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

  Simulation sim_{9};
  std::shared_ptr<SnapshotStorage> storage_ = directory_storage(Disk::in_memory(), "/snapshots");
  SimProcessId coordinator_, host_, other_, reader_, store_;
  bool with_store_ = false;
  NodeId owner_ = kHostNode;
  uint64_t trigger_ = 0;
  std::shared_ptr<const Plan> plan_ = small_plan();
};

TEST_F(PartitionHostTest, OpensAtItsVAndAsksAgainUnderTheSameId) {
  show(3, 6);
  ASSERT_EQ(reader().opened.size(), 1u);
  EXPECT_EQ(reader().opened[0].reader_epoch, Epoch(6));
  ASSERT_EQ(reader().opened[0].sessions.size(), 1u);
  EXPECT_EQ(last().key_partition, KeyPartitionId(0));
  EXPECT_EQ(last().epoch, Epoch(3));
  EXPECT_EQ(last().from, SourcePosition());
  const uint64_t id = last().session;
  sim_.run_for(700'000);
  EXPECT_GE(reader().opened.size(), 3u);
  EXPECT_LE(reader().opened.size(), 4u);
  EXPECT_EQ(last().session, id);
}

TEST_F(PartitionHostTest, AGapOpensANewSessionAtWhatHasBeenApplied) {
  show(3, 6);
  const uint64_t id = last().session;
  send_rows(id, 0, 10);
  send_rows(id, 2, 30);
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
  EXPECT_EQ(reader().acks.size(), 2u);  // an acknowledgement gives credit back, and says no more
  const size_t openings = reader().opened.size();
  send_rows(id, 1, 20);  // of the session that is over
  EXPECT_EQ(reader().opened.size(), openings);
  send_rows(last().session, 0, 20);
  show(3, 7);
  EXPECT_EQ(last().from.offset, 20u);
}

TEST_F(PartitionHostTest, CorruptRowsOpenANewSession) {
  show(3, 6);
  const uint64_t id = last().session;
  send(kSourceBatch,
       batch_of({.session = id, .reader_epoch = 6, .end = {10, kStart, false}}, broken_block())
           .bytes);
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 0u);
}

TEST_F(PartitionHostTest, AClosedSessionIsOpenedAnewAtItsV) {
  show(3, 6);
  const uint64_t id = last().session;
  send_rows(id, 0, 10);
  send(kSessionsClosed,
       SessionsClosed{JobId(1), SourcePartitionId(0), Epoch(6), {{KeyPartitionId(0), id + 50}}}
           .encode());  // of none of ours
  EXPECT_EQ(last().session, id);
  send(
      kSessionsClosed,
      SessionsClosed{JobId(1), SourcePartitionId(0), Epoch(6), {{KeyPartitionId(0), id}}}.encode());
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
}

TEST_F(PartitionHostTest, ASilentSessionIsGivenUpForANewOne) {
  show(3, 6);
  const uint64_t id = last().session;
  send_rows(id, 0, 10);
  sim_.run_for(1'900'000);
  EXPECT_EQ(last().session, id);
  sim_.run_for(300'000);
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
}

TEST_F(PartitionHostTest, ANewReaderIsAskedAtWhatHasBeenApplied) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  const uint64_t id = last().session;
  show(3, 7);
  EXPECT_EQ(reader().opened.back().reader_epoch, Epoch(7));
  EXPECT_GT(last().session, id);
  EXPECT_EQ(last().from.offset, 10u);
  send_rows(last().session, 0, 90, /*reader_epoch=*/6);  // of the former reader
  show(3, 8);
  EXPECT_EQ(last().from.offset, 10u);
}

TEST_F(PartitionHostTest, ANewGrantStartsFromTheNewestSnapshot) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  show(4, 6);
  EXPECT_EQ(last().epoch, Epoch(4));
  EXPECT_EQ(last().from, SourcePosition());  // there was none
  send_rows(last().session, 0, 20);
  sim_.run_for(2'500'000);
  ASSERT_FALSE(registry().taken.empty());
  EXPECT_EQ(registry().taken.back().epoch(), 4u);
  EXPECT_EQ(registry().taken.back().offsets(0), 20u);
  registry().answering = false;
  send_rows(last().session, 1, 30);
  show(5, 6);
  EXPECT_EQ(last().epoch, Epoch(5));
  EXPECT_EQ(last().from.offset, 20u);
  EXPECT_EQ(last().from.max_event_time, kStart);
}

TEST_F(PartitionHostTest, ASnapshotIsTakenToTheRegistryUntilItAnswers) {
  registry().answering = false;
  show(3, 6);
  send_rows(last().session, 0, 10);
  sim_.run_for(3'300'000);
  EXPECT_GE(registry().taken.size(), 3u);
  registry().answering = true;
  sim_.run_for(1'000'000);
  const size_t told = registry().taken.size();
  sim_.run_for(2'000'000);
  EXPECT_EQ(registry().taken.size(), told);  // nothing has changed since
}

TEST_F(PartitionHostTest, ASnapshotThatIsAskedForIsTakenAtOnce) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  sim_.run_for(3'000'000);
  const size_t told = registry().taken.size();
  trigger_ = 9;
  show(3, 6);
  sim_.run_for(100'000);
  ASSERT_EQ(registry().taken.size(), told + 1);  // although nothing has changed
  EXPECT_EQ(registry().taken.back().trigger(), 9u);
}

TEST_F(PartitionHostTest, AnotherWorkerGoesOnFromTheSnapshot) {
  show(3, 6);
  send_rows(last().session, 0, 10);
  sim_.run_for(2'500'000);
  show(4, 6, kOtherNode);
  sim_.run_for(400'000);
  EXPECT_EQ(offset_at(host_), std::nullopt);
  EXPECT_EQ(offset_at(other_), std::optional<uint64_t>(10));
  EXPECT_EQ(last().from.offset, 10u);
  EXPECT_EQ(last().epoch, Epoch(4));
}

TEST_F(PartitionHostTest, AStandbyFollowsAndGoesOnWhereItsOwnerWas) {
  show(3, 6, kHostNode, {{kOtherNode, 0}});
  sim_.run_for(400'000);
  send_rows(last().session, 0, 10);
  sim_.run_for(2'500'000);  // the silent session is opened anew
  const uint64_t id = last().session;
  send_rows(id, 0, 20);
  sim_.run_for(300'000);
  send_rows(id, 1, 30);  // in no snapshot yet
  sim_.run_for(300'000);
  sim_.crash(host_);
  show(4, 6, kOtherNode);
  sim_.run_for(400'000);
  EXPECT_EQ(offset_at(other_), std::optional<uint64_t>(30));
  EXPECT_EQ(last().from.offset, 30u);
  // And its snapshots go on from there.
  send_rows(last().session, 0, 40);
  sim_.run_for(2'500'000);
  EXPECT_EQ(registry().taken.back().epoch(), 4u);
  EXPECT_EQ(registry().taken.back().offsets(0), 40u);
  EXPECT_EQ(registry().taken.back().rows(), 4u);
}

// One that was chosen when the owner before was lost has its state to restore first.
TEST_F(PartitionHostTest, SessionsDoNotWaitForAStandby) {
  constexpr NodeId kNotThereYet{77};
  show(3, 6, kHostNode, {{kNotThereYet, 0}});
  EXPECT_EQ(reader().opened.size(), 1u);
}

TEST_F(PartitionHostTest, WithoutASnapshotThatVerifiesItStartsFromNothing) {
  damage_snapshots();
  show(3, 6);
  EXPECT_EQ(offset_at(host_), std::nullopt) << "a store may come yet";
  sim_.run_for(3'200'000);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(0));
}

TEST_F(PartitionHostTest, WithoutASnapshotItGoesOnFromAStoresState) {
  with_store_ = true;
  damage_snapshots();
  show(3, 6);
  sim_.run_for(400'000);
  ASSERT_EQ(store().wanted.size(), 1u);
  EXPECT_EQ(store().registered, Epoch(3)) << "former owners are fenced first";
  EXPECT_EQ(store().wanted[0].epoch, Epoch(3));
  EXPECT_EQ(store().wanted[0].stamp, FakeStore::kHeld);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(40));
  EXPECT_EQ(last().from.offset, 40u);
  EXPECT_EQ(last().from.max_event_time, kStart);
  // At once there is a snapshot again, with the store's row.
  ASSERT_FALSE(registry().taken.empty());
  EXPECT_EQ(registry().taken.back().epoch(), 3u);
  EXPECT_EQ(registry().taken.back().offsets(0), 40u);
  EXPECT_EQ(registry().taken.back().rows(), 1u);
  EXPECT_GT(registry().taken.back().version(), FakeStore::kHeld.version);
}

class SlowStoreTest : public PartitionHostTest {
 protected:
  SlowStoreTest() : PartitionHostTest(small()) {}
  static WorkerConfig small() {
    WorkerConfig config;
    config.unsent_limit_bytes = 8'000;
    config.link_stall_ms = 60'000;
    return config;
  }
};

// Its rows are on disk here and could be dropped: it would have to catch up by images.
TEST_F(SlowStoreTest, ReadersWaitForIt) {
  with_store_ = true;
  damage_snapshots();
  show(3, 6);
  sim_.run_for(400'000);
  ASSERT_EQ(last().from.offset, 40u);
  store().applying = false;
  for (uint64_t i = 0; i < 40; ++i) send_rows(last().session, i, 41 + i);
  sim_.run_for(1'500'000);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(80)) << "what came is taken all the same";
  EXPECT_GT(reader().acks.size(), 4u);
  EXPECT_LT(reader().acks.size(), 30u);
  store().applying = true;
  store().acknowledge();
  sim_.run_for(300'000);
  EXPECT_EQ(reader().acks.size(), 40u);
}

TEST_F(PartitionHostTest, AStoreIsAskedForItsStateUntilItAnswers) {
  with_store_ = true;
  damage_snapshots();
  store().answering = false;
  show(3, 6);
  sim_.run_for(1'000'000);
  EXPECT_GE(store().wanted.size(), 3u);
  EXPECT_EQ(offset_at(host_), std::nullopt);
  store().answering = true;
  sim_.run_for(500'000);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(40));
  const size_t asked = store().wanted.size();
  sim_.run_for(1'000'000);
  EXPECT_EQ(store().wanted.size(), asked);
}

TEST_F(PartitionHostTest, AStoreThatHoldsNothingOrWhatIsDamagedIsNoUse) {
  with_store_ = true;
  store().holds_state = false;  // and there never was a snapshot: a young job
  show(3, 6);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(0));
  EXPECT_TRUE(store().wanted.empty());
  store().holds_state = true;
  store().damaged = true;
  damage_snapshots();
  show(4, 6);
  sim_.run_for(4'000'000);
  EXPECT_EQ(store().wanted.size(), 1u);
  EXPECT_EQ(offset_at(host_), std::optional<uint64_t>(0));
}

TEST_F(PartitionHostTest, MessagesThatMeanNothingHereAreDropped) {
  show(3, 6);
  for (const uint16_t type :
       {kSourceBatch, kSessionsClosed, kReplicaStates, kFrameAck, kStateWritten}) {
    send(type, Buffer(std::string("no message of ours")));
    send(type, Buffer());
  }
  for (const uint16_t type : {kSnapshotsKnown, kSnapshotRegistered, kFrames, kRegisterReplicas}) {
    send(type, Buffer(std::string("no message of ours")));
    send(type, Buffer());
  }
  send(kSourceBatch, batch_of({.source = 77, .end = {10, kStart, false}}, {}).bytes);
  EXPECT_TRUE(reader().acks.empty());
  EXPECT_TRUE(sim_.alive(host_));
}

}  // namespace
}  // namespace tidemill::test
