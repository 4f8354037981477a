#include "worker/replica_catch_up.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

OffsetVector at(const std::vector<uint64_t>& offsets) {
  OffsetVector out;
  for (const uint64_t o : offsets) out.push_back({o, 0, false});
  return out;
}

// An owner under epoch 5 that began with version 6 of epoch 3, at V (4, 4), and stands at version
// 9, V (9, 9).
struct Owner {
  Ancestry ancestry{{Epoch(2), 3}, {Epoch(3), 6}, {Epoch(5), 9}};
  OffsetVector offsets = at({9, 9});
  OffsetVector first = at({4, 4});
  uint64_t rows_since = 6;
  bool aligned = true;
  bool began_empty = false;

  OwnerState state() const {
    return {Epoch(5), &ancestry, &offsets, rows_since, 6, &first, began_empty, aligned};
  }
};

struct Case {
  const char* what;
  uint64_t registered;
  bool holds_state;
  Stamp stamp;
  std::vector<uint64_t> offsets;
  CatchUp want;
  uint64_t images_since = 0;
  Owner owner{};
};

Owner with(uint64_t rows_since, bool aligned = true, bool began_empty = false) {
  Owner out;
  out.rows_since = rows_since;
  out.aligned = aligned;
  out.began_empty = began_empty;
  return out;
}

TEST(PlanCatchUp, FollowsFromWhatTheReplicaHolds) {
  using enum CatchUp;
  const std::vector<Case> cases{
      {"a newer owner is registered", 6, true, {Epoch(5), 9}, {9, 9}, kFenced},
      {"a newer owner, nothing held", 6, false, {}, {}, kFenced},
      {"an empty replica", 5, false, {}, {}, kReplaceAll},
      {"an empty replica, owner from nothing",
       5,
       false,
       {},
       {},
       kFromStart,
       0,
       with(6, true, true)},
      {"an empty replica, first rows gone", 5, false, {}, {}, kReplaceAll, 0, with(7, true, true)},
      {"up to date", 5, true, {Epoch(5), 9}, {9, 9}, kRows},
      {"rows from just there", 5, true, {Epoch(5), 8}, {8, 8}, kRows, 0, with(8)},
      {"a version too old for rows", 5, true, {Epoch(5), 7}, {7, 7}, kImages, 7, with(8)},
      {"of a former owner, before the two parted", 5, true, {Epoch(3), 6}, {4, 4}, kRows},
      {"likewise, longer ago", 5, true, {Epoch(3), 5}, {3, 4}, kImages, 5},
      {"likewise, of the owner before", 5, true, {Epoch(2), 3}, {1, 1}, kImages, 3},
      {"parted, the owner is past it", 5, true, {Epoch(3), 7}, {6, 5}, kResume},
      {"parted, a change lies across", 5, true, {Epoch(3), 7}, {6, 5}, kImages, 6, with(6, false)},
      {"parted, first rows gone", 5, true, {Epoch(3), 7}, {6, 5}, kImages, 6, with(7)},
      {"parted, the owner is behind", 5, true, {Epoch(3), 12}, {6, 10}, kWait},
      {"an owner in between that is no ancestor", 5, true, {Epoch(4), 7}, {6, 5}, kResume},
      {"parted, behind what the owner began with", 5, true, {Epoch(4), 7}, {3, 5}, kReplaceAll},
  };
  for (const Case& c : cases) {
    ReplicaState replica;
    replica.registered = Epoch(c.registered);
    replica.holds_state = c.holds_state;
    replica.epoch = c.stamp.epoch;
    replica.version = c.stamp.version;
    replica.offsets = at(c.offsets);
    const CatchUpPlan plan = plan_catch_up(c.owner.state(), replica);
    EXPECT_EQ(plan.what, c.want) << c.what;
    EXPECT_EQ(plan.images_since, c.images_since) << c.what;
  }
}

// A replica never goes back: what takes the place of its state covers it, or continues it.
RC_GTEST_PROP(PlanCatchUp, NeverTakesAReplicaBack, ()) {
  const auto offsets = [] {
    return at(*rc::gen::container<std::vector<uint64_t>>(2, rc::gen::inRange<uint64_t>(0, 12)));
  };
  Owner owner = with(*rc::gen::inRange<uint64_t>(6, 10), *rc::gen::arbitrary<bool>(),
                     *rc::gen::arbitrary<bool>());
  ReplicaState replica;
  replica.registered = Epoch(*rc::gen::inRange<uint64_t>(4, 7));
  replica.holds_state = *rc::gen::arbitrary<bool>();
  replica.epoch = Epoch(*rc::gen::inRange<uint64_t>(1, 6));
  replica.version = *rc::gen::inRange<uint64_t>(0, 10);
  replica.offsets = offsets();
  const bool ancestor = lies_in(owner.ancestry, {replica.epoch, replica.version});
  const CatchUpPlan got = plan_catch_up(owner.state(), replica);
  RC_ASSERT((got.what == CatchUp::kFenced) == (replica.registered > Epoch(5)));
  if (got.what == CatchUp::kFenced || !replica.holds_state) return;
  RC_ASSERT(got.what != CatchUp::kFromStart);
  if (got.what == CatchUp::kRows) RC_ASSERT(ancestor && replica.version >= owner.rows_since);
  if (!ancestor && got.what != CatchUp::kWait) RC_ASSERT(covers(owner.offsets, replica.offsets));
  if (got.what == CatchUp::kResume) RC_ASSERT(covers(replica.offsets, owner.first));
  if (got.what == CatchUp::kImages && !ancestor) {
    RC_ASSERT(covers(replica.offsets, owner.first) && got.images_since == 6);
  }
}

TEST(Ancestry, AStampLiesInItUpToWhereItsOwnerWasLeft) {
  Ancestry ancestry;
  advance(&ancestry, {Epoch(2), 5});
  advance(&ancestry, {Epoch(2), 9});
  advance(&ancestry, {Epoch(4), 10});
  EXPECT_EQ(ancestry, (Ancestry{{Epoch(2), 9}, {Epoch(4), 10}}));
  EXPECT_TRUE(lies_in(ancestry, {Epoch(2), 9}));
  EXPECT_FALSE(lies_in(ancestry, {Epoch(2), 10}));
  EXPECT_FALSE(lies_in(ancestry, {Epoch(3), 1}));
  EXPECT_TRUE(lies_in(ancestry, {Epoch(4), 10}));
  for (uint64_t epoch = 5; epoch < 5 + kMaxAncestors; ++epoch) {
    advance(&ancestry, {Epoch(epoch), 10 + epoch});
  }
  EXPECT_EQ(ancestry.size(), kMaxAncestors);
  EXPECT_FALSE(lies_in(ancestry, {Epoch(2), 1}));  // forgotten
}

}  // namespace
}  // namespace tidemill
