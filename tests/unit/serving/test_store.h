// A store's shards and gateway in a simulation, with an owner of key partitions whose messages the
// test writes by hand.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "serving/read_gateway.h"
#include "shared/member/member_agent.h"
#include "shared/runtime/sim/simulation.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "shared/wire/take_over.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill::test {

inline constexpr NodeId kStoreNode{20};
inline constexpr NodeId kOwnerNode{10};

// Keeps what the store answers.
class FakeOwner : public Actor {
 public:
  void receive(Message message) override {
    if (message.type == kReplicaStates) states.push_back(*ReplicaStates::decode(message.body));
    if (message.type == kStateWritten) written.push_back(*StateWritten::decode(message.body));
    if (message.type == kFrameAck) acks.push_back(*FrameAck::decode(message.body));
  }
  void on_timer(uint64_t) override {}

  std::vector<ReplicaStates> states;
  std::vector<FrameAck> acks;
  std::vector<StateWritten> written;
};

// Keeps what the store's shards report.
class FakeAgent : public Actor {
 public:
  void receive(Message message) override {
    const auto* report = dynamic_cast<ShardReport*>(message.local.get());
    if (report == nullptr) return;
    reports_[report->reporter] = report->jobs;
    memory = report->shard_use;
  }
  void on_timer(uint64_t) override {}
  proto::JobReport reported(uint32_t job) const {
    proto::JobReport sum;
    for (const auto& [shard, jobs] : reports_) {
      for (const proto::JobReport& part : jobs) {
        if (part.job() == job) merge_report(part, &sum);
      }
    }
    return sum;
  }
  MemoryUse memory;  // of the shard that has reported last

 private:
  std::map<ActorId, std::vector<proto::JobReport>> reports_;
};

class TestStore {
 public:
  explicit TestStore(uint16_t shards = 2, ReadLimits limits = {}, int64_t blocking_delay_us = 20)
      : TestStore(StoreConfig{limits}, shards, blocking_delay_us) {}
  explicit TestStore(const StoreConfig& config, uint16_t shards = 2, int64_t blocking_delay_us = 20)
      : sim(1, config_of(blocking_delay_us)),
        shards_(shards),
        blocking_delay_us_(blocking_delay_us) {
    const StoreResources resources{disk, "/store", snapshots};
    const auto wire = [=](ProcessHost& h) {
      for (uint16_t s = 0; s < shards; ++s) {
        h.spawn({s, kStoreShardIndex}, [=](Runtime& r) {
          return std::make_unique<StoreShard>(r, shards, config, resources);
        });
      }
      h.spawn(kReadGateway,
              [=](Runtime& r) { return std::make_unique<ReadGateway>(r, shards, config.limits); });
      h.spawn(kAgent, [](Runtime&) { return std::make_unique<FakeAgent>(); });
    };
    store = sim.add_process({"store", "sim://store", kStoreNode, shards}, wire);
    owner = sim.add_process({"owner", "sim://owner", kOwnerNode, 1}, [](ProcessHost& h) {
      h.spawn(kOwnerActor, [](Runtime&) { return std::make_unique<FakeOwner>(); });
    });
    connect();
  }

  // The store's process begins anew with what is on its disk, and knows no jobs.
  void restart() {
    sim.crash(store);
    sim.restart(store, kStoreNode);
    link_seq_ = 0;
    connect();
  }

  // Until it has opened its disks; it may be warming up.
  void show_until_open(const std::vector<std::shared_ptr<const Plan>>& plans) {
    tell(plans);
    sim.run_for(100'000 + 2 * blocking_delay_us_);
  }
  void show(const std::vector<std::shared_ptr<const Plan>>& plans) {
    tell(plans);
    sim.run_for(10'000 + 3 * blocking_delay_us_);
  }
  void tell(const std::vector<std::shared_ptr<const Plan>>& plans) {
    auto view = std::make_shared<ClusterState>();
    view->version = ++version_;
    for (const auto& plan : plans) {
      const JobId id(static_cast<uint32_t>(view->jobs.size()) + 1);
      JobInView& job = view->jobs[id];
      job.id = id;
      job.plan = plan;
    }
    std::vector<ActorId> followers{kReadGateway};
    for (uint16_t s = 0; s < shards_; ++s) followers.push_back({s, kStoreShardIndex});
    for (const ActorId follower : followers) {
      auto changed = std::make_unique<ViewChanged>();
      changed->view = view;
      sim.post_from_outside(store, follower, std::move(changed));
    }
  }

  void send(KeyPartitionId k, uint16_t type, Buffer body) {
    sim.runtime(owner).send(kOwnerActor,
                            {kStoreNode, {store_shard_of(k, shards_), kStoreShardIndex}}, type,
                            std::move(body));
    sim.run_for(10'000);
  }
  void open(KeyPartitionId k, uint64_t epoch, uint64_t session) {
    send(k, kRegisterReplicas, RegisterReplicas{JobId(1), {{k, Epoch(epoch), session}}}.encode());
  }
  void send_part(const FramePart& part) {
    send(part.key_partition, kFrames, Frames{JobId(1), ++link_seq_, {part}}.encode());
  }
  static FramePart part(KeyPartitionId k, PartKind kind, uint64_t seq, uint64_t to = 0) {
    FramePart p;
    p.key_partition = k;
    p.epoch = Epoch(1);
    p.session = 1;
    p.seq = seq;
    p.kind = kind;
    p.from_epoch = Epoch(1);
    p.whole = kind == PartKind::kImagesBegin;
    p.to_version = to;
    return p;
  }
  // Key partition `k` becomes ready at version 1, and the rows make it version 2.
  void fill(KeyPartitionId k, const std::vector<Buffer>& blocks, TimeUs max_event_time,
            TimeUs horizon = kMinTime) {
    open(k, 1, 1);
    send_part(part(k, PartKind::kImagesBegin, 0));
    send_part(part(k, PartKind::kImagesClose, 1, 1));
    FramePart rows = part(k, PartKind::kRows, 2, 2);
    rows.from_version = 1;
    rows.payload = blocks;
    rows.advances.push_back({SourcePartitionId(1), {17, max_event_time, false}});
    rows.horizon = horizon;
    rows.current = true;
    rows.read_wall_us = sim.runtime(store).wall_us();
    send_part(rows);
  }

  using Answer = std::shared_ptr<std::optional<HttpResponse>>;
  Answer begin_call(const std::string& method, const std::string& target, const std::string& body) {
    auto answer = std::make_shared<std::optional<HttpResponse>>();
    auto payload = std::make_unique<StoreHttpCall>();
    payload->request = {method, target, "application/json", body};
    payload->respond = [answer](HttpResponse response) { *answer = std::move(response); };
    sim.post_from_outside(store, kReadGateway, std::move(payload));
    return answer;
  }
  std::optional<HttpResponse> call(const std::string& method, const std::string& target,
                                   const std::string& body = "") {
    const Answer answer = begin_call(method, target, body);
    sim.run_until([&] { return answer->has_value(); }, sim.now_us() + 1'000'000);
    return *answer;
  }
  FakeOwner& fake_owner() { return *static_cast<FakeOwner*>(sim.actor(owner, kOwnerActor)); }

  // The store's last report of a job.
  proto::JobReport report(uint32_t job = 1) {
    return static_cast<FakeAgent*>(sim.actor(store, kAgent))->reported(job);
  }

  MemoryUse memory() { return static_cast<FakeAgent*>(sim.actor(store, kAgent))->memory; }

  static constexpr ActorId kOwnerActor{0, kPartitionHostIndex};
  const std::shared_ptr<Disk> disk = Disk::in_memory();
  const std::shared_ptr<SnapshotStorage> snapshots =
      directory_storage(Disk::in_memory(), "/snapshots");
  Simulation sim;
  SimProcessId store, owner;

 private:
  static SimConfig config_of(int64_t blocking_delay_us) {
    SimConfig config;
    config.blocking_delay_us_min = config.blocking_delay_us_max = blocking_delay_us;
    return config;
  }

  void connect() {
    sim.runtime(owner).connect(kStoreNode, "sim://store");
    sim.runtime(store).connect(kOwnerNode, "sim://owner");
    sim.run_for(10'000);
  }

  uint16_t shards_;
  int64_t blocking_delay_us_;
  uint64_t version_ = 0;
  uint64_t link_seq_ = 0;
};

}  // namespace tidemill::test
