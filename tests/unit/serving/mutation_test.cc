// Deliberate bugs in replicas must be ones that tests can notice.
#include "shared/base/mutation.h"

#include <cstdlib>

#include "tests/unit/serving/replica_story.h"

namespace tidemill::test {
namespace {

bool story_holds() {
  return rc::check([](bool lifetime) { tell_replica_story(lifetime); });
}

TEST(ReplicaMutations, AreNoticed) {
  ::setenv("RC_PARAMS", "noshrink=1 max_success=300", 1);
  EXPECT_TRUE(story_holds());
  for (const Mutation mutation : {Mutation::kEvictUncovered, Mutation::kDropPendingOnSnapshot}) {
    active_mutation = mutation;
    EXPECT_FALSE(story_holds()) << static_cast<int>(mutation);
    active_mutation = Mutation::kNone;
  }
}

}  // namespace
}  // namespace tidemill::test
