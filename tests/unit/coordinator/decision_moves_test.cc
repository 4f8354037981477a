// Standbys, drains, moves and rebalances as decisions.
#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/decision.h"
#include "coordinator/load_table.h"
#include "coordinator/moves.h"
#include "tests/unit/coordinator/test_jobs.h"

namespace tidemill {
namespace {

const JobLimits kLimits{3, 2};

std::map<NodeId, MemberInfo> workers(std::initializer_list<uint64_t> nodes) {
  std::map<NodeId, MemberInfo> out;
  for (const auto node : nodes) {
    out[NodeId{node}] = {NodeId{node}, "e" + std::to_string(node), MemberRole::kWorker, 1};
  }
  return out;
}

// A job of 12 key partitions and 2 source partitions.
class MoveDecision : public ::testing::Test {
 protected:
  void start(std::initializer_list<uint64_t> nodes, uint32_t standby_replicas = 0) {
    Draft draft(CoordinatorState{});
    auto plan = testing::small_plan("a", 12, 2)->proto();
    plan.set_standby_replicas(standby_replicas);
    ASSERT_TRUE(draft.submit(*Plan::from_proto(std::move(plan)), 5, kLimits).ok());
    draft.set_members(workers(nodes));
    draft.place();
    state_ = draft.take();
  }

  // One round of what the coordinator does.
  void step(const std::function<void(Draft*)>& what = {}) {
    Draft draft(state_);
    if (what) what(&draft);
    ended_ = draft.end_moves(standbys_, 1000);
    draft.place(standbys_);
    draft.drain_workers(loads_, 1000);
    (void)draft.begin_moves(1000);
    view_changed_ = draft.view_changed();
    changed_ = draft.changed();
    state_ = draft.take();
  }
  // Owners report that all who follow them have caught up.
  void catch_up() {
    std::map<uint64_t, proto::Heartbeat> beats;
    const auto standbys = shown_standbys(grants());
    for (uint32_t k = 0; k < standbys.size(); ++k) {
      const uint64_t owner = grants().key_partitions[k].node.value;
      auto& beat = beats[owner];
      if (beat.jobs_size() == 0) beat.add_jobs()->set_job(1);
      for (const auto& slot : standbys[k]) {
        auto* standby = beat.mutable_jobs(0)->add_standbys();
        standby->set_key_partition(k);
        standby->set_node(slot.node.value);
        standby->set_caught_up(true);
      }
    }
    for (auto& [node, beat] : beats) {
      beat.set_node(node);
      beat.set_view_version(state_.view_version);
      standbys_.take(beat, state_);
    }
  }
  void rebalance() {
    step([this](Draft* draft) {
      const auto plan = draft->plan_rebalance(loads_, {}, false);
      ASSERT_TRUE(plan.ok());
      draft->start_rebalance(*plan, {}, false, "requested", 900);
    });
  }
  void settle() {
    for (int i = 0; i < 20 && (i == 0 || changed_); ++i) {
      catch_up();
      step();
    }
    EXPECT_FALSE(changed_);
  }

  const JobGrants& grants() const { return *state_.jobs.at(JobId{1}).grants; }
  std::map<uint64_t, int> owners() const {
    std::map<uint64_t, int> out;
    for (const auto& grant : grants().key_partitions) ++out[grant.node.value];
    return out;
  }
  std::map<uint64_t, int> standbys() const {
    std::map<uint64_t, int> out;
    for (const auto& [k, standby] : grants().standbys) ++out[standby.node.value];
    return out;
  }
  std::map<uint64_t, int> readers() const {
    std::map<uint64_t, int> out;
    for (const auto& grant : grants().sources) ++out[grant.node.value];
    return out;
  }

  CoordinatorState state_;
  StandbyTable standbys_;
  LoadTable loads_;
  std::vector<EndedJobMove> ended_;
  bool view_changed_ = false;
  bool changed_ = false;
};

using Counts = std::map<uint64_t, int>;

TEST_F(MoveDecision, AJobGetsTheStandbysThatItWants) {
  start({1, 2, 3}, 1);
  EXPECT_EQ(standbys(), (Counts{{1, 4}, {2, 4}, {3, 4}}));
  const auto before = state_;
  step();
  EXPECT_FALSE(changed_);
  start({1, 2, 3}, 0);
  EXPECT_EQ(standbys(), Counts{});
}

TEST_F(MoveDecision, AStandbyIsPlacedAnewWhenItsWorkerDies) {
  start({1, 2, 3}, 1);
  const auto before = grants();
  step([](Draft* draft) { draft->set_members(workers({1, 2})); });
  EXPECT_TRUE(view_changed_);
  EXPECT_EQ(grants().standbys.size(), 12u);
  for (uint32_t k = 0; k < 12; ++k) {
    EXPECT_NE(grants().standbys.at(k).node, grants().key_partitions[k].node);
    EXPECT_NE(grants().standbys.at(k).node, NodeId{3});
    if (before.key_partitions[k].node != NodeId{3}) {
      EXPECT_EQ(grants().key_partitions[k], before.key_partitions[k]);
    }
  }
}

TEST_F(MoveDecision, TheStandbyOfADeadOwnerTakesOverAndReadersMoveInTheSameDecision) {
  start({1, 2, 3}, 1);
  const auto before = grants();
  step([](Draft* draft) { draft->set_members(workers({1, 2})); });
  for (uint32_t k = 0; k < 12; ++k) {
    if (before.key_partitions[k].node != NodeId{3}) continue;
    EXPECT_EQ(grants().key_partitions[k].node, before.standbys.at(k).node);
    EXPECT_EQ(grants().key_partitions[k].shard, before.standbys.at(k).shard);
    EXPECT_GT(grants().key_partitions[k].epoch, before.key_partitions[k].epoch);
  }
  for (const auto& source : grants().sources) EXPECT_NE(source.node, NodeId{3});
}

TEST_F(MoveDecision, OneThatHasCaughtUpGoesBeforeOneThatHasNot) {
  start({1, 2, 3, 4}, 1);
  const auto k = static_cast<uint32_t>(
      std::find_if(grants().key_partitions.begin(), grants().key_partitions.end(),
                   [](const auto& grant) { return grant.node == NodeId{4}; }) -
      grants().key_partitions.begin());
  // A move of it is under way to the worker that is neither its owner nor its standby.
  JobGrants grants_now = grants();
  grants_now.standbys[k] = {NodeId{1}, 0};
  grants_now.moves = {{k, KeyPartitionMove::Role::kOwner, {NodeId{2}, 0}, 1, 1}};
  state_.jobs.at(JobId{1}).grants = std::make_shared<const JobGrants>(grants_now);
  const auto lose = [this, k](bool target_caught_up) {
    const auto before = state_;
    proto::Heartbeat beat;
    beat.set_node(4);
    beat.set_view_version(9);
    auto* job = beat.add_jobs();
    job->set_job(1);
    for (const uint64_t node : {1, 2}) {
      auto* standby = job->add_standbys();
      standby->set_key_partition(k);
      standby->set_node(node);
      standby->set_caught_up(node == 2 && target_caught_up);
    }
    standbys_.take(beat, state_);
    step([](Draft* draft) { draft->set_members(workers({1, 2, 3})); });
    const NodeId owner = grants().key_partitions[k].node;
    EXPECT_TRUE(grants().moves.empty());
    state_ = before;
    return owner;
  };
  EXPECT_EQ(lose(true), NodeId{2});
  EXPECT_EQ(lose(false), NodeId{1});
}

TEST_F(MoveDecision, AWorkerThatJoinsGetsItsShareByMoves) {
  start({1, 2});
  step([](Draft* draft) { draft->set_members(workers({1, 2, 3})); });
  EXPECT_EQ(owners(), (Counts{{1, 6}, {2, 6}}));
  const auto before = grants();
  rebalance();
  EXPECT_TRUE(view_changed_);
  EXPECT_EQ(grants().moves.size(), 4u);
  EXPECT_EQ(grants().key_partitions, before.key_partitions);  // not before they have caught up
  EXPECT_EQ(state_.rebalance.moves, 4u);
  EXPECT_EQ(state_.rebalance.finished_at, 0);
  settle();
  EXPECT_EQ(owners(), (Counts{{1, 4}, {2, 4}, {3, 4}}));
  EXPECT_EQ(state_.rebalance.done, 4u);
  EXPECT_EQ(state_.rebalance.finished_at, 1000);
  for (uint32_t k = 0; k < 12; ++k) {
    const auto& grant = grants().key_partitions[k];
    if (grant.node == NodeId{3}) {
      EXPECT_GT(grant.epoch, before.key_partitions[k].epoch);
    } else {
      EXPECT_EQ(grant, before.key_partitions[k]);
    }
  }
}

TEST_F(MoveDecision, RebalancingAgainIsSafe) {
  start({1, 2});
  step([](Draft* draft) { draft->set_members(workers({1, 2, 3})); });
  rebalance();
  const auto under_way = grants().moves;
  rebalance();
  EXPECT_EQ(grants().moves, under_way);
  EXPECT_EQ(state_.rebalance.id, 2u);
  EXPECT_EQ(state_.rebalance.moves, 4u);
  settle();
  rebalance();
  EXPECT_TRUE(grants().moves.empty());
  EXPECT_EQ(state_.rebalance.moves, 0u);
  EXPECT_EQ(state_.rebalance.finished_at, 900);
}

TEST_F(MoveDecision, OnlyTheNamedJobIsRebalanced) {
  start({1, 2});
  step([](Draft* draft) {
    ASSERT_TRUE(draft->submit(testing::small_plan("b", 6, 1), 5, kLimits).ok());
  });
  step([](Draft* draft) { draft->set_members(workers({1, 2, 3})); });
  Draft draft(state_);
  EXPECT_FALSE(draft.plan_rebalance(loads_, "c", false).ok());
  const auto plan = draft.plan_rebalance(loads_, "b", false);
  ASSERT_TRUE(plan.ok());
  ASSERT_FALSE(plan->moves.empty());
  for (const auto& move : plan->moves) EXPECT_EQ(move.job, JobId{2});
}

TEST_F(MoveDecision, ADrainedWorkerEndsUpWithNothing) {
  start({1, 2, 3}, 1);
  step([](Draft* draft) { ASSERT_TRUE(draft->drain(NodeId{3}).ok()); });
  EXPECT_EQ(state_.draining, std::set<NodeId>{NodeId{3}});
  EXPECT_FALSE(readers().contains(3));  // at once
  EXPECT_TRUE(owners().contains(3));    // as soon as it can
  settle();
  EXPECT_EQ(owners(), (Counts{{1, 6}, {2, 6}}));
  EXPECT_EQ(standbys(), (Counts{{1, 6}, {2, 6}}));
  for (uint32_t k = 0; k < 12; ++k) {
    EXPECT_NE(grants().standbys.at(k).node, grants().key_partitions[k].node);
  }
  EXPECT_NE(state_.rebalance.finished_at, 0);
}

TEST_F(MoveDecision, NothingIsPlacedOnADrainingWorker) {
  start({1, 2, 3}, 1);
  step([](Draft* draft) { ASSERT_TRUE(draft->drain(NodeId{3}).ok()); });
  settle();
  step([](Draft* draft) {
    draft->set_members(workers({1, 3}));
    ASSERT_TRUE(draft->submit(testing::small_plan("b", 6, 2), 5, kLimits).ok());
  });
  EXPECT_EQ(owners(), (Counts{{1, 12}}));
  EXPECT_EQ(standbys(), Counts{});  // there is no worker for them
  for (const auto& grant : state_.jobs.at(JobId{2}).grants->key_partitions) {
    EXPECT_EQ(grant.node, NodeId{1});
  }
  Draft draft(state_);
  const auto moved = draft.move_reader("a", 0, NodeId{3});
  ASSERT_FALSE(moved.ok());
  EXPECT_EQ(moved.error().code(), ErrorCode::kRetryable);
  EXPECT_FALSE(draft.move_reader("a", 0, NodeId{}).ok());
  // Rather nobody than the draining one.
  step([](Draft* d) { d->set_members(workers({3})); });
  EXPECT_EQ(owners(), (Counts{{0, 12}}));
}

TEST_F(MoveDecision, WhoCanBeDrained) {
  start({1, 2});
  Draft draft(state_);
  EXPECT_EQ(draft.drain(NodeId{9}).error().code(), ErrorCode::kUser);
  EXPECT_EQ(draft.undrain(NodeId{9}).error().code(), ErrorCode::kUser);
  EXPECT_FALSE(draft.changed());
  EXPECT_TRUE(draft.drain(NodeId{1}).ok());
  EXPECT_TRUE(draft.drain(NodeId{1}).ok());
  EXPECT_EQ(draft.drain(NodeId{2}).error().code(), ErrorCode::kRetryable);
  EXPECT_FALSE(*draft.undrain(NodeId{2}));
  EXPECT_TRUE(*draft.undrain(NodeId{1}));
  EXPECT_TRUE(draft.drain(NodeId{2}).ok());
}

TEST_F(MoveDecision, AnUndoneDrainKeepsWhatHasNotLeft) {
  start({1, 2});
  step([](Draft* draft) { ASSERT_TRUE(draft->drain(NodeId{2}).ok()); });
  EXPECT_EQ(grants().moves.size(), 6u);
  // Those under way go on, the others have not begun.
  Draft draft(state_);
  ASSERT_TRUE(*draft.undrain(NodeId{2}));
  state_ = draft.take();
  EXPECT_EQ(grants().moves.size(), kMovesAtOncePerTarget);
  settle();
  EXPECT_EQ(owners(), (Counts{{1, 6 + kMovesAtOncePerTarget}, {2, 6 - kMovesAtOncePerTarget}}));
}

TEST_F(MoveDecision, ADrainGoesOnElsewhereWhenItsTargetDies) {
  start({1, 2, 3});
  step([](Draft* draft) { ASSERT_TRUE(draft->drain(NodeId{3}).ok()); });
  const auto targets = [this] {
    Counts out;
    for (const auto& move : grants().moves) ++out[move.to.node.value];
    return out;
  };
  EXPECT_EQ(targets(), (Counts{{1, 2}, {2, 2}}));
  step([](Draft* draft) { draft->set_members(workers({1, 3})); });
  EXPECT_EQ(ended_.size(), 2u);
  EXPECT_FALSE(ended_[0].end.done);
  EXPECT_EQ(targets(), (Counts{{1, 4}}));
  settle();
  EXPECT_EQ(owners(), (Counts{{1, 12}}));
}

TEST_F(MoveDecision, WhenTheOwnerDiesItsMovesEnd) {
  start({1, 2});
  step([](Draft* draft) { draft->set_members(workers({1, 2, 3})); });
  rebalance();
  Counts from;
  for (const auto& move : grants().moves) {
    ++from[grants().key_partitions[move.key_partition].node.value];
  }
  ASSERT_EQ(from, (Counts{{1, 2}, {2, 2}}));
  catch_up();  // the copies that worker 3 holds are whole
  const auto before = grants();
  step([](Draft* draft) { draft->set_members(workers({1, 3})); });
  for (const auto& move : before.moves) {
    EXPECT_EQ(grants().key_partitions[move.key_partition].node, NodeId{3});
  }
  EXPECT_TRUE(grants().moves.empty());
  EXPECT_EQ(state_.rebalance.done, 4u);
  step();
  EXPECT_NE(state_.rebalance.finished_at, 0);
}

TEST_F(MoveDecision, ADeadWorkerDrainsNoMore) {
  start({1, 2});
  step([](Draft* draft) { ASSERT_TRUE(draft->drain(NodeId{2}).ok()); });
  step([](Draft* draft) { draft->set_members(workers({1})); });
  EXPECT_TRUE(state_.draining.empty());
  EXPECT_EQ(owners(), (Counts{{1, 12}}));
}

}  // namespace
}  // namespace tidemill
