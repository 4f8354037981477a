// A member's side of the control plane, against a coordinator that the test plays.
#include "shared/member/member_agent.h"

#include <gtest/gtest.h>

#include "shared/runtime/sim/simulation.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

constexpr NodeId kMember{50};
constexpr ActorId kFollower{0, 77};

class FakeCoordinator : public Actor {
 public:
  void receive(Message message) override {
    if (message.type != kHeartbeat) return;
    proto::Heartbeat beat;
    EXPECT_TRUE(beat.ParseFromString(std::string(message.body.view())));
    beats.push_back(beat);
  }
  void on_timer(uint64_t) override {}
  std::vector<proto::Heartbeat> beats;
};

class Follower : public Actor {
 public:
  void receive(Message message) override {
    if (auto* changed = dynamic_cast<ViewChanged*>(message.local.get())) {
      views.push_back(changed->view);
    } else if (message.type == 99) {
      ++greetings;
    }
  }
  void on_timer(uint64_t) override {}
  std::vector<std::shared_ptr<const ClusterState>> views;
  int greetings = 0;
};

class MemberAgentTest : public testing::Test {
 protected:
  MemberAgentTest() : sim_(3) {
    coordinator_ =
        sim_.add_process({"coordinator", "sim://c", kCoordinatorNode, 1}, [](ProcessHost& h) {
          h.spawn(kAgent, [](Runtime&) { return std::make_unique<FakeCoordinator>(); });
        });
    MemberConfig config;
    config.coordinators = {"sim://c"};
    config.role = proto::STORE;
    config.shards = 2;
    config.http_address = "127.0.0.1:80";
    config.pid = 4242;
    config.heartbeat_ms = 100;
    member_ = sim_.add_process({"member", "sim://m", kMember, 2}, [config](ProcessHost& h) {
      h.spawn(kAgent, [config](Runtime& r) {
        return std::make_unique<MemberAgent>(r, config, std::vector<ActorId>{kFollower});
      });
      h.spawn(kFollower, [](Runtime&) { return std::make_unique<Follower>(); });
    });
    peer_ = sim_.add_process({"peer", "sim://p", NodeId(60), 1}, [](ProcessHost& h) {
      h.spawn(kFollower, [](Runtime&) { return std::make_unique<Follower>(); });
    });
    sim_.runtime(coordinator_).connect(kMember, "sim://m");
    sim_.run_for(50'000);
  }

  std::vector<proto::Heartbeat>& beats() {
    return static_cast<FakeCoordinator*>(sim_.actor(coordinator_, kAgent))->beats;
  }
  std::vector<std::shared_ptr<const ClusterState>>& views() {
    return static_cast<Follower*>(sim_.actor(member_, kFollower))->views;
  }
  void send(uint16_t type, const std::string& body) {
    sim_.runtime(coordinator_).send(kAgent, {kMember, kAgent}, type, Buffer(body));
    sim_.run_for(50'000);
  }
  proto::ClusterView view(uint64_t version, bool with_job = false) {
    proto::ClusterView out;
    out.set_version(version);
    out.set_coordinator_instance("instance" + std::to_string(version));
    for (const uint64_t node : {kMember.value, uint64_t{60}}) {
      auto* m = out.add_members();
      m->set_node(node);
      m->set_endpoint(node == 60 ? "sim://p" : "sim://m");
      m->set_role(proto::WORKER);
      m->set_shards(1);
    }
    if (with_job) {
      auto* job = out.add_jobs();
      job->set_job(5);
      *job->mutable_plan() = test::small_plan()->proto();
      for (int i = 0; i < 2; ++i) job->add_sources();
      for (int i = 0; i < 4; ++i) job->add_key_partitions();
    }
    return out;
  }
  void post_report(ActorId reporter, const std::vector<proto::JobReport>& jobs,
                   uint64_t view_version = 0) {
    auto report = std::make_unique<ShardReport>();
    report->reporter = reporter;
    report->jobs = jobs;
    report->view_version = view_version;
    sim_.post_from_outside(member_, kAgent, std::move(report));
  }
  bool peer_reachable() {
    auto* follower = static_cast<Follower*>(sim_.actor(peer_, kFollower));
    const int before = follower->greetings;
    sim_.runtime(member_).send(kFollower, {NodeId(60), kFollower}, 99,
                               Buffer(std::string("hello")));
    sim_.run_for(50'000);
    return follower->greetings > before;
  }

  Simulation sim_;
  SimProcessId coordinator_, member_, peer_;
};

TEST_F(MemberAgentTest, TellsTheMemoryOfTheProcessOnce) {
  for (const uint16_t shard : {0, 1}) {
    auto report = std::make_unique<ShardReport>();
    report->reporter = {shard, 77};
    report->resident_bytes = 9'000 + shard;  // each has looked at its own time
    report->memory_budget_bytes = 8'000;
    sim_.post_from_outside(member_, kAgent, std::move(report));
  }
  sim_.run_for(250'000);
  EXPECT_EQ(beats().back().resident_bytes(), 9'001u);
  EXPECT_EQ(beats().back().memory_budget_bytes(), 8'000u);
}

TEST_F(MemberAgentTest, TellsWhatTakesTheMemory) {
  EXPECT_EQ(beats().back().memory_size(), 0) << "nothing is known yet";
  for (const uint16_t shard : {0, 1}) {
    auto report = std::make_unique<ShardReport>();
    report->reporter = {shard, 77};
    report->resident_bytes = 9'000 + shard;
    report->shard_use = {{"rows", 1'000 + shard}, {"changes", 500}};
    report->process_use = {{"network", 300u - shard}};
    sim_.post_from_outside(member_, kAgent, std::move(report));
  }
  sim_.run_for(250'000);
  const auto told = [&] {
    MemoryUse out;
    for (const proto::MemoryUse& use : beats().back().memory()) out[use.consumer()] = use.bytes();
    return out;
  };
  const MemoryUse expected{
      {"changes", 1'000}, {"network", 300}, {"other", 9'001 - 3'301}, {"rows", 2'001}};
  EXPECT_EQ(told(), expected) << "shards add up, and together it is what the process takes";
  auto report = std::make_unique<ShardReport>();
  report->reporter = {0, 77};
  report->resident_bytes = 9'000;
  report->shard_use = {{"rows", 50'000}};  // looked at before what came since
  sim_.post_from_outside(member_, kAgent, std::move(report));
  sim_.run_for(250'000);
  EXPECT_EQ(told().at("other"), 0u);
}

TEST_F(MemberAgentTest, TheFirstHeartbeatSaysWhoItIs) {
  ASSERT_FALSE(beats().empty());
  const proto::Heartbeat& beat = beats()[0];
  EXPECT_EQ(beat.node(), kMember.value);
  EXPECT_EQ(beat.endpoint(), "sim://m");
  EXPECT_EQ(beat.role(), proto::STORE);
  EXPECT_EQ(beat.shards(), 2u);
  EXPECT_EQ(beat.http_address(), "127.0.0.1:80");
  EXPECT_EQ(beat.pid(), 4242u);
  EXPECT_EQ(beat.view_version(), 0u);
  EXPECT_EQ(beat.coordinator_instance(), "");
  EXPECT_EQ(beat.jobs_size(), 0);
}

TEST_F(MemberAgentTest, BeatsAtItsInterval) {
  const size_t before = beats().size();
  sim_.run_for(1'000'000);
  EXPECT_GE(beats().size(), before + 9);
  EXPECT_LE(beats().size(), before + 11);
}

TEST_F(MemberAgentTest, HandsOnEveryNewerViewOnce) {
  send(kClusterView, view(4).SerializeAsString());
  ASSERT_EQ(views().size(), 1u);
  EXPECT_EQ(views()[0]->version, 4u);
  send(kClusterView, view(4).SerializeAsString());
  send(kClusterView, view(3).SerializeAsString());
  EXPECT_EQ(views().size(), 1u);
  send(kClusterView, view(5, true).SerializeAsString());
  ASSERT_EQ(views().size(), 2u);
  EXPECT_EQ(views()[1]->jobs.size(), 1u);
  sim_.run_for(150'000);
  EXPECT_EQ(beats().back().view_version(), 0u);  // nobody reports from it yet
  post_report({0, 2}, {}, 5);
  post_report({1, 2}, {}, 4);
  sim_.run_for(150'000);
  EXPECT_EQ(beats().back().view_version(), 4u);  // the oldest that an actor reports from
  post_report({1, 2}, {}, 5);
  sim_.run_for(150'000);
  EXPECT_EQ(beats().back().view_version(), 5u);
  EXPECT_EQ(beats().back().coordinator_instance(), "instance5");
}

TEST_F(MemberAgentTest, ConnectsToTheMembersOfTheViewAndLeavesThoseGone) {
  EXPECT_FALSE(peer_reachable());
  send(kClusterView, view(1).SerializeAsString());
  EXPECT_TRUE(peer_reachable());
  proto::ClusterView without = view(2);
  without.mutable_members()->RemoveLast();
  send(kClusterView, without.SerializeAsString());
  EXPECT_FALSE(peer_reachable());
}

TEST_F(MemberAgentTest, RefusesAViewThatIsNone) {
  send(kClusterView, view(1).SerializeAsString());
  send(kClusterView, "\xff\xff\xff");
  proto::ClusterView bad = view(9);
  bad.mutable_members(0)->set_shards(0);
  send(kClusterView, bad.SerializeAsString());
  EXPECT_EQ(views().size(), 1u);
  EXPECT_TRUE(sim_.alive(member_));
  EXPECT_FALSE(sim_.errors().empty());  // an inconsistent view is worth a look
}

TEST_F(MemberAgentTest, ListensToTheCoordinatorOnly) {
  sim_.runtime(peer_).connect(kMember, "sim://m");
  sim_.runtime(peer_).send(kFollower, {kMember, kAgent}, kClusterView,
                           Buffer(view(8).SerializeAsString()));
  sim_.runtime(peer_).send(kFollower, {kMember, kAgent}, kFenced, Buffer());
  sim_.run_for(50'000);
  EXPECT_TRUE(views().empty());
  EXPECT_TRUE(sim_.alive(member_));
}

TEST_F(MemberAgentTest, MergesReportsOfItsShardsPerJobOfTheView) {
  proto::JobReport a, b, other;
  a.set_job(5);
  a.set_rows(10);
  b.set_job(5);
  b.set_rows(5);
  other.set_job(6);
  other.set_rows(99);
  post_report({0, 2}, {a});
  sim_.run_for(150'000);
  EXPECT_EQ(beats().back().jobs_size(), 0);  // no view: no jobs
  send(kClusterView, view(1, true).SerializeAsString());
  post_report({1, 2}, {other, b});
  sim_.run_for(150'000);
  ASSERT_EQ(beats().back().jobs_size(), 1);
  EXPECT_EQ(beats().back().jobs(0).job(), 5u);
  EXPECT_EQ(beats().back().jobs(0).rows(), 15u);
  a.set_rows(20);
  post_report({0, 2}, {a});  // replaces the former of the same reporter
  sim_.run_for(150'000);
  EXPECT_EQ(beats().back().jobs(0).rows(), 25u);
}

class SeveralCoordinatorsTest : public testing::Test {
 protected:
  SeveralCoordinatorsTest() : sim_(3) {
    MemberConfig config;
    for (const std::string name : {"sim://c0", "sim://c1"}) {
      coordinators_.push_back(
          sim_.add_process({name, name, kCoordinatorNode, 1, {NodeId(2)}}, [](ProcessHost& h) {
            h.spawn(kAgent, [](Runtime&) { return std::make_unique<FakeCoordinator>(); });
          }));
      config.coordinators.push_back(name);
    }
    config.heartbeat_ms = 100;
    member_ = sim_.add_process({"member", "sim://m", kMember, 2, {}}, [config](ProcessHost& h) {
      h.spawn(kAgent, [config](Runtime& r) {
        return std::make_unique<MemberAgent>(r, config, std::vector<ActorId>{kFollower});
      });
      h.spawn(kFollower, [](Runtime&) { return std::make_unique<Follower>(); });
    });
    for (const auto c : coordinators_) sim_.runtime(c).connect(kMember, "sim://m");
    sim_.run_for(50'000);
  }
  std::vector<proto::Heartbeat>& beats(int c) {
    return static_cast<FakeCoordinator*>(sim_.actor(coordinators_[c], kAgent))->beats;
  }
  std::vector<std::shared_ptr<const ClusterState>>& views() {
    return static_cast<Follower*>(sim_.actor(member_, kFollower))->views;
  }
  template <typename Body>
  void send(int c, uint16_t type, const Body& body) {
    sim_.runtime(coordinators_[c])
        .send(kAgent, {kMember, kAgent}, type, Buffer(body.SerializeAsString()));
    sim_.run_for(10'000);
  }
  // Answers the last heartbeat that it got.
  void acknowledge(int c, uint64_t generation) {
    proto::HeartbeatAck ack;
    ack.set_generation(generation);
    ack.set_addressed_to(beats(c).back().addressed_to());
    send(c, kHeartbeatAck, ack);
  }
  // Heartbeats within a second, while coordinator `c` answers; -1: none does.
  std::pair<size_t, size_t> beats_in_a_second(int c, uint64_t generation) {
    const size_t before[] = {beats(0).size(), beats(1).size()};
    for (int i = 0; i < 10; ++i) {
      sim_.run_for(90'000);
      if (c >= 0) acknowledge(c, generation);
    }
    return {beats(0).size() - before[0], beats(1).size() - before[1]};
  }

  Simulation sim_;
  std::vector<SimProcessId> coordinators_;
  SimProcessId member_;
};

TEST_F(SeveralCoordinatorsTest, BeatsForTheOneThatAnswersAndForAllWhileNoneDoes) {
  acknowledge(1, 1);
  auto [first, second] = beats_in_a_second(1, 1);
  EXPECT_LE(first, 1u);
  EXPECT_GE(second, 9u);
  EXPECT_EQ(beats(1).back().addressed_to(), 2u);
  std::tie(first, second) = beats_in_a_second(-1, 0);
  EXPECT_GE(first, 6u);  // after two intervals
  EXPECT_GE(second, 9u);
  acknowledge(0, 2);
  std::tie(first, second) = beats_in_a_second(0, 2);
  EXPECT_GE(first, 9u);
  EXPECT_LE(second, 1u);
}

TEST_F(SeveralCoordinatorsTest, ItsActorsAreToldWhoLeads) {
  acknowledge(0, 1);
  proto::ClusterView view;
  view.set_version(4);
  send(0, kClusterView, view);
  ASSERT_EQ(views().size(), 1u);
  EXPECT_EQ(views()[0]->coordinator, kCoordinatorNode);
  sim_.run_for(500'000);
  acknowledge(1, 2);
  ASSERT_EQ(views().size(), 2u);  // of the same version
  EXPECT_EQ(views()[1]->coordinator, NodeId(2));
  EXPECT_EQ(views()[1]->version, 4u);
  view.set_version(5);
  send(1, kClusterView, view);
  ASSERT_EQ(views().size(), 3u);
  EXPECT_EQ(views()[2]->coordinator, NodeId(2));
}

TEST_F(SeveralCoordinatorsTest, ADeposedCoordinatorCannotEndIt) {
  acknowledge(0, 1);
  sim_.run_for(500'000);
  acknowledge(1, 2);
  proto::Fenced fenced;
  fenced.set_generation(1);
  send(0, kFenced, fenced);
  EXPECT_TRUE(sim_.alive(member_));
  fenced.set_generation(2);
  send(1, kFenced, fenced);
  EXPECT_FALSE(sim_.alive(member_));
}

TEST_F(MemberAgentTest, AskedToEndItTakesItsLeaveAndIsLetGo) {
  send(kClusterView, view(1).SerializeAsString());
  EXPECT_FALSE(beats().back().leaving());
  sim_.terminate(member_);
  sim_.run_for(20'000);
  EXPECT_TRUE(beats().back().leaving());
  EXPECT_TRUE(sim_.alive(member_));
  send(kFenced, proto::Fenced().SerializeAsString());
  EXPECT_FALSE(sim_.alive(member_));
  EXPECT_EQ(sim_.exit_code(member_), 0);
}

TEST_F(MemberAgentTest, NotLetGoItEndsAllTheSame) {
  sim_.cut(member_, coordinator_);
  sim_.terminate(member_);
  sim_.run_for(500'000);
  EXPECT_FALSE(sim_.alive(member_));
  EXPECT_EQ(sim_.exit_code(member_), 0);
}

TEST_F(MemberAgentTest, AGoodbyeThatIsLostIsRepeated) {
  sim_.cut(member_, coordinator_);
  sim_.terminate(member_);
  sim_.run_for(60'000);
  sim_.heal(member_, coordinator_);
  sim_.run_for(120'000);
  EXPECT_TRUE(beats().back().leaving());
}

TEST_F(MemberAgentTest, AsksAtOnceForAViewThatIsWanted) {
  sim_.run_for(1'000'000);
  const size_t before = beats().size();
  for (int i = 0; i < 100; ++i) {
    sim_.post_from_outside(member_, kAgent, std::make_unique<ViewWanted>());
    sim_.run_for(1'000);
  }
  EXPECT_GE(beats().size(), before + 3);
  EXPECT_LE(beats().size(), before + 8);  // but not all the time
}

TEST_F(MemberAgentTest, WithoutACoordinatorItGoesOn) {
  send(kClusterView, view(1).SerializeAsString());
  sim_.crash(coordinator_);
  sim_.run_for(600'000'000);
  EXPECT_TRUE(sim_.alive(member_));
  EXPECT_TRUE(peer_reachable());
  EXPECT_EQ(views().size(), 1u);
}

TEST_F(MemberAgentTest, FencedItEndsItself) {
  proto::Fenced fenced;
  fenced.set_reason("declared dead");
  send(kFenced, fenced.SerializeAsString());
  EXPECT_FALSE(sim_.alive(member_));
  EXPECT_EQ(sim_.exit_code(member_), 1);
}

}  // namespace
}  // namespace tidemill
