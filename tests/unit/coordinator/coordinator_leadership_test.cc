// Two coordinators over one etcd, and members that know both: takeovers, zombies, an etcd that is
// away. The members' agents are the real ones.
#include <gtest/gtest.h>

#include <optional>

#include "coordinator/coordinator.h"
#include "coordinator/etcd_store.h"
#include "coordinator/wiring.h"
#include "shared/member/member_agent.h"
#include "shared/runtime/sim/simulation.h"
#include "shared/wire/actors.h"
#include "tests/unit/coordinator/fake_etcd.h"
#include "tests/unit/coordinator/test_cluster.h"

namespace tidemill {
namespace {

using testing::FakeEtcd;
using Fault = FakeEtcd::Fault;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kTtlS = 3;
constexpr char kPrefix[] = "t/";
constexpr ActorId kFollower{0, 77};

// What the actors of a member rely on: views and epochs never go back.
class Follower : public Actor {
 public:
  void receive(Message message) override {
    auto* changed = dynamic_cast<ViewChanged*>(message.local.get());
    if (changed == nullptr || changed->view == nullptr) return;
    if (view) {
      EXPECT_GE(changed->view->version, view->version);
      for (const auto& [id, job] : view->jobs) {
        const auto now = changed->view->jobs.find(id);
        if (now == changed->view->jobs.end()) continue;
        for (size_t k = 0; k < job.key_partitions.size(); ++k) {
          EXPECT_GE(now->second.key_partitions[k].epoch, job.key_partitions[k].epoch);
        }
      }
    }
    view = changed->view;
  }
  void on_timer(uint64_t) override {}
  std::shared_ptr<const ClusterState> view;
};

class LeadershipTest : public ::testing::Test {
 protected:
  explicit LeadershipTest(uint64_t seed = 7) : etcd_([this] { return sim_.now_us(); }), sim_(seed) {
    for (int c = 0; c < 2; ++c) {
      SimProcessOptions options;
      options.name = "coordinator" + std::to_string(c);
      options.endpoint = "sim://c" + std::to_string(c);
      options.node = kCoordinatorNode;
      options.aliases = {NodeId(2)};
      coordinators_.push_back(sim_.add_process(
          options, [this, c](ProcessHost& host) { wire_coordinator(host, address(c)); }));
      EXPECT_TRUE(wait([&] { return leads(0); }));
    }
    for (int w = 0; w < 2; ++w) {
      const std::string name = "worker" + std::to_string(w);
      workers_.push_back(
          sim_.add_process({name, "sim://" + name, {}, 1, {}}, [](ProcessHost& host) {
            MemberConfig config;
            config.coordinators = {"sim://c0", "sim://c1"};
            host.spawn(kAgent, [config](Runtime& runtime) {
              return std::make_unique<MemberAgent>(runtime, config,
                                                   std::vector<ActorId>{kFollower});
            });
            host.spawn(kFollower, [](Runtime&) { return std::make_unique<Follower>(); });
          }));
    }
  }

  static std::string address(int c) { return "10.0.0." + std::to_string(c) + ":80"; }

  std::unique_ptr<EtcdClient> client() {
    return std::make_unique<EtcdClient>(std::vector<std::string>{"http://e1", "http://e2"}, 100,
                                        etcd_.transport());
  }
  void wire_coordinator(ProcessHost& host, const std::string& address) {
    auto election = std::make_shared<EtcdElection>(client(), kPrefix, kTtlS);
    election->set_address(address);
    CoordinatorConfig config;
    config.join_settle_ms = 300;
    config.election = election;
    spawn_coordinator(
        host, config,
        std::make_shared<MetadataStore>(std::make_unique<EtcdStore>(client(), election)));
  }

  bool wait(const std::function<bool()>& condition, int64_t at_most_us = 30 * kSecond) {
    return sim_.run_until(condition, sim_.now_us() + at_most_us);
  }
  const CoordinatorState* state(int c) {
    auto* actor = sim_.actor(coordinators_[c], kAgent);
    return actor == nullptr ? nullptr : dynamic_cast<Coordinator*>(actor)->committed();
  }
  bool leads(int c) { return state(c) != nullptr; }
  Follower& follower(size_t w) {
    return *static_cast<Follower*>(sim_.actor(workers_[w], kFollower));
  }

  using Answer = std::shared_ptr<std::optional<HttpResponse>>;
  Answer ask(int c, const std::string& method, const std::string& target,
             const std::string& body = "") {
    auto answer = std::make_shared<std::optional<HttpResponse>>();
    sim_.post_from_outside(
        coordinators_[c], kAgent,
        std::make_unique<CoordinatorRequest>(HttpRequest{method, target, "", body},
                                             [answer](HttpResponse r) { *answer = std::move(r); }));
    return answer;
  }
  HttpResponse call(int c, const std::string& method, const std::string& target,
                    const std::string& body = "") {
    const Answer answer = ask(c, method, target, body);
    EXPECT_TRUE(wait([&] { return answer->has_value(); })) << method << " " << target;
    return answer->value_or(HttpResponse{});
  }
  // A job whose partitions are all granted, as every member sees it; its grants.
  JobGrants run_a_job(int c) {
    EXPECT_TRUE(wait([&] { return state(c)->members.size() == workers_.size(); }));
    EXPECT_EQ(call(c, "POST", "/v1/jobs", testing::small_yaml("one")).status, 201);
    EXPECT_TRUE(wait([&] { return granted(c); }));
    EXPECT_TRUE(wait(
        [&] { return follower(0).view && follower(0).view->version == state(c)->view_version; }));
    return grants(c);
  }
  JobGrants grants(int c) { return *state(c)->jobs.at(JobId{1}).grants; }
  bool granted(int c) {
    if (!leads(c) || !state(c)->jobs.contains(JobId{1})) return false;
    const auto now = grants(c);
    return std::all_of(now.key_partitions.begin(), now.key_partitions.end(),
                       [](const PartitionGrant& g) { return g.node != NodeId{}; });
  }

  FakeEtcd etcd_;
  Simulation sim_;
  std::vector<SimProcessId> coordinators_;
  std::vector<SimProcessId> workers_;
};

TEST_F(LeadershipTest, AStandbyTakesOverAndNothingMoves) {
  const JobGrants before = run_a_job(0);
  const uint64_t version = follower(0).view->version;
  const uint64_t generation = state(0)->generation;
  const NodeId worker = sim_.node(workers_[0]);
  EXPECT_FALSE(leads(1));
  sim_.crash(coordinators_[0]);
  ASSERT_TRUE(wait([&] { return leads(1); }, (kTtlS + 1) * kSecond));
  EXPECT_EQ(state(1)->generation, generation + 1);
  ASSERT_TRUE(wait([&] { return follower(0).view->coordinator == NodeId(2); }, kSecond));
  sim_.run_for(10 * kSecond);
  EXPECT_EQ(grants(1), before);
  EXPECT_EQ(follower(1).view->version, version);
  EXPECT_EQ(state(1)->members.size(), 2u);
  EXPECT_EQ(sim_.node(workers_[0]), worker);  // nobody was fenced
  EXPECT_EQ(call(1, "POST", "/v1/jobs/one/stop").status, 202);
  // The former leader comes back as the standby.
  sim_.restart(coordinators_[0]);
  sim_.run_for(5 * kSecond);
  EXPECT_FALSE(leads(0));
  EXPECT_TRUE(leads(1));
  EXPECT_TRUE(sim_.errors().empty());
}

TEST_F(LeadershipTest, ALeaderThatWakesUpPastItsLeaseEndsAndWritesNothing) {
  const JobGrants before = run_a_job(0);
  // A change is on its way while the leader freezes.
  sim_.freeze(coordinators_[0]);
  const Answer late = ask(0, "POST", "/v1/jobs/one/stop");
  ASSERT_TRUE(wait([&] { return leads(1); }, (kTtlS + 1) * kSecond));
  sim_.run_for(5 * kSecond);
  const auto contents = etcd_.contents();
  sim_.unfreeze(coordinators_[0]);
  EXPECT_TRUE(wait([&] { return !sim_.alive(coordinators_[0]); }, kSecond));
  EXPECT_EQ(sim_.exit_code(coordinators_[0]), 1);
  EXPECT_EQ(etcd_.contents(), contents);
  EXPECT_FALSE(late->has_value());
  sim_.run_for(5 * kSecond);
  EXPECT_EQ(grants(1), before);
  EXPECT_EQ(follower(0).view->coordinator, NodeId(2));
}

TEST_F(LeadershipTest, ALeaderThatCannotRenewEndsWithinItsLease) {
  run_a_job(0);
  etcd_.faults = [](const std::string&) { return Fault::kRefused; };
  EXPECT_TRUE(wait([&] { return !sim_.alive(coordinators_[0]); }, kTtlS * kSecond + kSecond / 2));
  sim_.run_for(20 * kSecond);
  EXPECT_TRUE(sim_.alive(coordinators_[1]));  // and waits for etcd
  EXPECT_FALSE(leads(1));
  etcd_.faults = nullptr;
  EXPECT_TRUE(wait([&] { return leads(1); }, 2 * kSecond));
}

TEST_F(LeadershipTest, ACommitWaitsForEtcd) {
  run_a_job(0);
  etcd_.faults = [](const std::string&) { return Fault::kRefused; };
  const Answer stopped = ask(0, "POST", "/v1/jobs/one/stop");
  sim_.run_for(2 * kSecond);
  EXPECT_FALSE(stopped->has_value());
  EXPECT_EQ(call(0, "GET", "/v1/jobs/one").status, 200);  // it answers meanwhile
  EXPECT_EQ(state(0)->jobs.at(JobId{1}).job->state, JobState::kRunning);
  etcd_.faults = nullptr;
  ASSERT_TRUE(wait([&] { return stopped->has_value(); }, kSecond));
  EXPECT_EQ((*stopped)->status, 202);
  EXPECT_TRUE(leads(0));
}

TEST_F(LeadershipTest, AStandbySaysWhoLeads) {
  ASSERT_TRUE(
      wait([&] { return call(1, "GET", "/health").body.find(address(0)) != std::string::npos; }));
  EXPECT_EQ(call(1, "GET", "/health").status, 503);
  const auto moved = call(1, "GET", "/v1/jobs/one?x=1");
  EXPECT_EQ(moved.status, 307);
  EXPECT_EQ(moved.location, "http://" + address(0) + "/v1/jobs/one?x=1");
  const auto refused = call(1, "POST", "/v1/jobs/one/stop");
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("\"leader\":\"http://" + address(0) + "\""), std::string::npos);
  EXPECT_EQ(call(1, "GET", "/metrics").status, 200);
  EXPECT_EQ(call(0, "GET", "/health").status, 200);
}

// Whatever happens to coordinators and etcd: in the end one leads, and grants are as they were.
class LeadershipFaults : public LeadershipTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  LeadershipFaults() : LeadershipTest(GetParam()) {}
};

TEST_P(LeadershipFaults, OneLeadsInTheEndAndNothingHasMoved) {
  const JobGrants before = run_a_job(0);
  Random random(GetParam());
  etcd_.faults = [&](const std::string&) {
    const uint64_t kind = random.below(16);
    return kind < 4 ? static_cast<Fault>(kind + 1) : Fault::kNone;
  };
  for (int i = 0; i < 30; ++i) {
    const auto process = coordinators_[random.below(2)];
    switch (random.below(5)) {
      case 0:
        if (sim_.alive(process)) sim_.crash(process);
        break;
      case 1:
        if (sim_.alive(process)) sim_.freeze(process);
        break;
      case 2:
        if (etcd_.delayed() > 0) etcd_.deliver(random.below(etcd_.delayed()));
        break;
      default:
        if (!sim_.alive(process)) sim_.restart(process);
        if (sim_.frozen(process)) sim_.unfreeze(process);
    }
    sim_.run_for(static_cast<int64_t>(random.below(2'500'000)));
  }
  etcd_.faults = nullptr;
  sim_.heal_network();
  for (int i = 0; i < 3; ++i) {  // one that ends is started again, as by a supervisor
    for (const auto c : coordinators_) {
      if (!sim_.alive(c)) sim_.restart(c);
    }
    sim_.run_for(5 * kSecond);
  }
  ASSERT_NE(leads(0), leads(1));
  const int leader = leads(0) ? 0 : 1;
  EXPECT_EQ(grants(leader), before);
  EXPECT_EQ(state(leader)->members.size(), workers_.size());
  EXPECT_TRUE(sim_.errors().empty()) << sim_.errors().front();
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeadershipFaults, ::testing::Range<uint64_t>(1, 31));

}  // namespace
}  // namespace tidemill
