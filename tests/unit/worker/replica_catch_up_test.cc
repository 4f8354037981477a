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

struct Case {
  const char* what;
  uint64_t owner_epoch, owner_version, rows_since;
  std::vector<uint64_t> owner_offsets;
  uint64_t registered;
  bool holds_state;
  uint64_t epoch, version;
  std::vector<uint64_t> offsets;
  CatchUp want;
  bool caught_up = true;
};

TEST(PlanCatchUp, FollowsFromWhatTheReplicaHolds) {
  using enum CatchUp;
  const std::vector<Case> cases{
      {"a newer owner is registered", 5, 9, 0, {9}, 6, true, 5, 9, {9}, kFenced},
      {"a newer owner, nothing held", 5, 9, 0, {9}, 6, false, 0, 0, {}, kFenced},
      {"an empty replica", 5, 9, 0, {9}, 5, false, 0, 0, {}, kReplaceAll},
      {"an empty replica, however new the owner", 5, 0, 0, {0}, 5, false, 0, 0, {}, kReplaceAll},
      {"an empty replica, owner not caught up", 5, 9, 0, {9}, 5, false, 0, 0, {}, kWait, false},
      {"a former owner's state, owner not caught up but past it",
       5,
       9,
       0,
       {9},
       5,
       true,
       4,
       70,
       {9},
       kReplaceAll,
       false},
      {"up to date, owner not caught up", 5, 9, 0, {9}, 5, true, 5, 9, {9}, kRows, false},
      {"a replica that lost its state under this owner",
       5,
       9,
       0,
       {9},
       5,
       false,
       5,
       9,
       {},
       kReplaceAll},
      {"up to date", 5, 9, 0, {9}, 5, true, 5, 9, {9}, kRows},
      {"rows are at hand from just there", 5, 9, 4, {9}, 5, true, 5, 4, {4}, kRows},
      {"one version too old for rows", 5, 9, 4, {9}, 5, true, 5, 3, {3}, kImagesSince},
      {"all rows dropped, replica up to date", 5, 9, 9, {9}, 5, true, 5, 9, {9}, kRows},
      {"all rows dropped, replica behind", 5, 9, 9, {9}, 5, true, 5, 8, {8}, kImagesSince},
      {"a former owner's state, at or behind",
       5,
       9,
       0,
       {9, 9},
       5,
       true,
       4,
       70,
       {9, 8},
       kReplaceAll},
      {"a former owner's state, one source ahead", 5, 9, 0, {9, 9}, 5, true, 4, 2, {1, 10}, kWait},
      {"a former owner's state, owner has nothing", 5, 0, 0, {0, 0}, 5, true, 4, 2, {1, 0}, kWait},
      {"a former owner's state that is empty", 5, 0, 0, {0, 0}, 5, true, 4, 0, {0, 0}, kReplaceAll},
      {"registered earlier, not yet by this owner", 5, 9, 0, {9}, 3, true, 3, 1, {1}, kReplaceAll},
  };
  for (const Case& c : cases) {
    ReplicaState replica;
    replica.registered = Epoch(c.registered);
    replica.holds_state = c.holds_state;
    replica.epoch = Epoch(c.epoch);
    replica.version = c.version;
    replica.offsets = at(c.offsets);
    const OwnerState owner{Epoch(c.owner_epoch), c.owner_version, c.rows_since, c.caught_up};
    EXPECT_EQ(plan_catch_up(owner, at(c.owner_offsets), replica), c.want) << c.what;
  }
}

// A replica never goes back: what replaces its state covers it, unless it is of this very owner.
RC_GTEST_PROP(PlanCatchUp, NeverTakesAReplicaBack, ()) {
  const auto offsets = [] {
    return at(*rc::gen::container<std::vector<uint64_t>>(2, rc::gen::inRange<uint64_t>(0, 4)));
  };
  ReplicaState replica;
  replica.registered = Epoch(*rc::gen::inRange<uint64_t>(0, 4));
  replica.holds_state = *rc::gen::arbitrary<bool>();
  replica.epoch = Epoch(*rc::gen::inRange<uint64_t>(0, 4));
  replica.version = *rc::gen::inRange<uint64_t>(0, 5);
  replica.offsets = offsets();
  const OwnerState owner{Epoch(2), *rc::gen::inRange<uint64_t>(0, 5), 1,
                         *rc::gen::arbitrary<bool>()};
  const OffsetVector mine = offsets();
  const CatchUp got = plan_catch_up(owner, mine, replica);
  RC_ASSERT((got == CatchUp::kFenced) == (replica.registered > owner.epoch));
  if (got == CatchUp::kReplaceAll && replica.holds_state) {
    RC_ASSERT(replica.epoch != owner.epoch);
    RC_ASSERT(covers(mine, replica.offsets));
  }
  if (got == CatchUp::kRows || got == CatchUp::kImagesSince) {
    RC_ASSERT(replica.holds_state);
    RC_ASSERT(replica.epoch == owner.epoch);
  }
}

}  // namespace
}  // namespace tidemill
