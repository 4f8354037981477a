#include "shared/wire/take_over.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/wire/arbitrary.h"

namespace tidemill {
namespace {

using test::any_id;
using test::check_hostile;

StateWanted any_wanted() {
  return {any_id<JobId>(),
          any_id<KeyPartitionId>(),
          any_id<Epoch>(),
          {any_id<Epoch>(), *rc::gen::arbitrary<uint64_t>()}};
}

StateWritten any_written() {
  return {any_id<JobId>(),
          any_id<KeyPartitionId>(),
          any_id<Epoch>(),
          {any_id<Epoch>(), *rc::gen::arbitrary<uint64_t>()},
          static_cast<StateWritten::Outcome>(*rc::gen::inRange(1, 5)),
          *rc::gen::arbitrary<std::string>()};
}

RC_GTEST_PROP(StateWanted, ReadsBack, ()) {
  const StateWanted m = any_wanted();
  const auto got = StateWanted::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->key_partition == m.key_partition);
  RC_ASSERT(got->epoch == m.epoch && got->stamp == m.stamp);
}

RC_GTEST_PROP(StateWritten, ReadsBack, ()) {
  const StateWritten m = any_written();
  const auto got = StateWritten::decode(m.encode());
  RC_ASSERT(got.ok());
  RC_ASSERT(got->job == m.job && got->key_partition == m.key_partition);
  RC_ASSERT(got->epoch == m.epoch && got->stamp == m.stamp);
  RC_ASSERT(got->outcome == m.outcome && got->text == m.text);
}

RC_GTEST_PROP(TakeOverMessages, DamagedBytesAreRefusedOrMeanOneThing, ()) {
  check_hostile(any_wanted());
  check_hostile(any_written());
}

TEST(StateWritten, AnOutcomeThatIsNoneIsRefused) {
  StateWritten m{JobId(1), KeyPartitionId(2), Epoch(3), {}, StateWritten::Outcome::kWritten, ""};
  m.outcome = static_cast<StateWritten::Outcome>(5);
  EXPECT_FALSE(StateWritten::decode(m.encode()).ok());
  m.outcome = static_cast<StateWritten::Outcome>(0);
  EXPECT_FALSE(StateWritten::decode(m.encode()).ok());
}

}  // namespace
}  // namespace tidemill
