#include "tests/unit/coordinator/test_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "coordinator/wiring.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill::testing {
namespace {

constexpr char kCoordinatorEndpoint[] = "sim://coordinator";

template <typename Answer>
Answer parsed(const Message& message) {
  Answer out;
  const auto bytes = message.body.bytes();
  EXPECT_TRUE(out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return out;
}

template <typename Grants>
void expect_epochs_grow(const Grants& before, const Grants& after) {
  ASSERT_LE(before.size(), after.size());  // source partitions are only ever added
  for (int i = 0; i < before.size(); ++i) {
    if (before[i].node() == after[i].node() && before[i].shard() == after[i].shard() &&
        before[i].epoch() == after[i].epoch()) {
      continue;  // who follows may change
    }
    EXPECT_GT(after[i].epoch(), before[i].epoch());
  }
}

}  // namespace

void FakeMember::start() {
  runtime_.connect(kCoordinatorNode, kCoordinatorEndpoint);
  on_timer(0);
}

void FakeMember::on_timer(uint64_t) {
  proto::Heartbeat beat;
  beat.set_node(runtime_.node().value);
  beat.set_endpoint(runtime_.endpoint());
  beat.set_role(role_);
  beat.set_shards(1);
  beat.set_coordinator_instance(instance_);
  beat.set_view_version(view_.version());
  for (const auto& report : reports) *beat.add_jobs() = report;
  for (const auto& [consumer, bytes] : memory) {
    proto::MemoryUse* use = beat.add_memory();
    use->set_consumer(consumer);
    use->set_bytes(bytes);
  }
  if (says_caught_up) report_standbys(&beat);
  (void)runtime_.send(kAgent, {kCoordinatorNode, kAgent}, kHeartbeat,
                      Buffer(beat.SerializeAsString()));
  for (const auto& claim : claims) tell(kSnapshotTaken, claim.SerializeAsString());
  for (const auto& query : queries) tell(kSnapshotQuery, query.SerializeAsString());
  runtime_.start_timer(kAgent, 250'000, 0);
}

void FakeMember::tell(uint16_t type, const std::string& bytes) {
  (void)runtime_.send(kAgent, {kCoordinatorNode, kAgent}, type, Buffer(bytes));
}

void FakeMember::report_standbys(proto::Heartbeat* beat) const {
  for (const auto& job : view_.jobs()) {
    auto* report = beat->add_jobs();
    report->set_job(job.job());
    for (int k = 0; k < job.key_partitions_size(); ++k) {
      const auto& grant = job.key_partitions(k);
      if (grant.node() != runtime_.node().value) continue;
      for (const auto& slot : grant.standbys()) {
        auto* standby = report->add_standbys();
        standby->set_key_partition(static_cast<uint32_t>(k));
        standby->set_node(slot.node());
        standby->set_caught_up(true);
      }
    }
  }
}

void FakeMember::receive(Message message) {
  if (message.type == kFenced) fenced_ = true;
  if (message.type == kSnapshotRegistered)
    registered.push_back(parsed<proto::SnapshotRegistered>(message));
  if (message.type == kSnapshotsKnown) known.push_back(parsed<proto::SnapshotsKnown>(message));
  if (message.type != kClusterView) return;
  proto::ClusterView view;
  const auto bytes = message.body.bytes();
  ASSERT_TRUE(view.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  apply(std::move(view));
}

void FakeMember::apply(proto::ClusterView view) {
  EXPECT_FALSE(view.coordinator_instance().empty());
  instance_ = view.coordinator_instance();
  if (view.version() == view_.version()) {
    view.set_coordinator_instance(view_.coordinator_instance());
    EXPECT_EQ(view.SerializeAsString(), view_.SerializeAsString());
  }
  if (view.version() <= view_.version()) return;
  for (const auto& before : view_.jobs()) {
    for (const auto& after : view.jobs()) {
      if (before.job() != after.job()) continue;
      expect_epochs_grow(before.sources(), after.sources());
      expect_epochs_grow(before.key_partitions(), after.key_partitions());
    }
  }
  view_ = std::move(view);
}

Status FakeCatalog::bind(proto::Source* source) {
  if (!source->has_kafka()) return discover(source);
  const auto topic = topics.find(source->kafka().topic());
  if (topic == topics.end()) {
    return user_error("there is no topic '" + source->kafka().topic() + "'");
  }
  for (uint32_t i = 0; i < topic->second; ++i) source->mutable_kafka()->add_start_offsets(100);
  return {};
}

Status FakeCatalog::discover(proto::Source* source) {
  if (!source->has_files()) return {};
  auto* known = source->mutable_files();
  for (const auto& path : files) {
    const auto& paths = known->paths();
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) known->add_paths(path);
  }
  while (known->identities_size() < known->paths_size()) {
    known->add_identities()->set_inode(static_cast<uint64_t>(known->identities_size()));
  }
  return error.empty() ? Status{} : Status{user_error(error)};
}

TestCluster::TestCluster(uint64_t seed, CoordinatorConfig config, SimConfig sim_config)
    : sim(seed, sim_config) {
  SimProcessOptions options;
  options.name = "coordinator";
  options.endpoint = kCoordinatorEndpoint;
  options.node = kCoordinatorNode;
  coordinator_process = sim.add_process(options, [this, config](ProcessHost& host) {
    auto store = MetadataStore::open_on(disk, "/coordinator");
    if (!store) ADD_FAILURE() << store.error().message();
    spawn_coordinator(host, config, std::move(*store));
  });
}

SimProcessId TestCluster::add_member(proto::Role role, uint16_t shards) {
  SimProcessOptions options;
  options.name = "member" + std::to_string(sim.processes());
  options.endpoint = "sim://" + options.name;
  options.shards = shards;
  return sim.add_process(options, [role](ProcessHost& host) {
    host.spawn(kAgent,
               [role](Runtime& runtime) { return std::make_unique<FakeMember>(runtime, role); });
  });
}

SimProcessId TestCluster::add_worker(uint16_t shards) { return add_member(proto::WORKER, shards); }
SimProcessId TestCluster::add_store() { return add_member(proto::STORE, 1); }

Coordinator& TestCluster::coordinator() {
  return dynamic_cast<Coordinator&>(*sim.actor(coordinator_process, kAgent));
}

FakeMember& TestCluster::member(SimProcessId process) {
  return dynamic_cast<FakeMember&>(*sim.actor(process, kAgent));
}

bool TestCluster::wait(const std::function<bool()>& condition, int64_t at_most_us) {
  return sim.run_until(condition, sim.now_us() + at_most_us);
}

HttpResponse TestCluster::call(const std::string& method, const std::string& target,
                               const std::string& body) {
  auto answer = std::make_shared<std::optional<HttpResponse>>();
  const auto posted = sim.post_from_outside(
      coordinator_process, kAgent,
      std::make_unique<CoordinatorRequest>(
          HttpRequest{method, target, "", body},
          [answer](HttpResponse response) { *answer = std::move(response); }));
  EXPECT_EQ(posted, SendResult::kAccepted);
  EXPECT_TRUE(wait([&] { return answer->has_value(); })) << method << " " << target;
  return answer->value_or(HttpResponse{0, "", ""});
}

std::map<uint64_t, int> TestCluster::owners(SimProcessId process) {
  std::map<uint64_t, int> out;
  const auto& view = member(process).view();
  if (view.jobs_size() == 0) return out;
  for (const auto& grant : view.jobs(0).key_partitions()) ++out[grant.node()];
  return out;
}

bool TestCluster::all_owned(SimProcessId process) {
  const auto by = owners(process);
  return !by.empty() && !by.contains(0);
}

std::string small_yaml(const std::string& name) {
  return "job: " + name + R"(
key_partitions: 8
sources:
  transactions:
    stream: {generator: {partitions: 2, events: 1000}}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h]}
)";
}

}  // namespace tidemill::testing
