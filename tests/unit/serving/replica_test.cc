#include "serving/replica.h"

#include "tests/unit/serving/replica_story.h"

namespace tidemill::test {
namespace {

RC_GTEST_PROP(Replica, SaysTheSameWhateverIsInMemory, (bool lifetime)) {
  tell_replica_story(lifetime);
}

}  // namespace
}  // namespace tidemill::test
