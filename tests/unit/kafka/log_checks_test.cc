#include "shared/kafka/log_checks.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

TEST(LogChecks, APositionWithinTheLogIsFine) {
  const LogPosition position{"t", 3, 100, true};
  EXPECT_EQ(refuse_offsets(position, 0, 100), "");
  EXPECT_EQ(refuse_offsets(position, 100, 100), "");
  EXPECT_EQ(refuse_offsets(position, 100, 500), "");
}

TEST(LogChecks, RetentionAndTruncationAreToldApart) {
  const LogPosition position{"t", 3, 100, true};
  const std::string gone = refuse_offsets(position, 140, 500);
  EXPECT_NE(gone.find("partition 3 of topic 't'"), std::string::npos) << gone;
  EXPECT_NE(gone.find("begins at offset 140"), std::string::npos) << gone;
  EXPECT_NE(gone.find("read it up to offset 100"), std::string::npos) << gone;
  EXPECT_NE(gone.find("40 offsets are beyond retention"), std::string::npos) << gone;
  EXPECT_NE(gone.find("submit it anew"), std::string::npos) << gone;
  const std::string cut = refuse_offsets(position, 0, 60);
  EXPECT_NE(cut.find("ends at offset 60"), std::string::npos) << cut;
  EXPECT_NE(cut.find("truncated"), std::string::npos) << cut;
}

TEST(LogChecks, AJobThatHasReadNothingIsToldSo) {
  const std::string gone = refuse_offsets({"t", 0, 5, false}, 9, 20);
  EXPECT_NE(gone.find("the job starts at offset 5"), std::string::npos) << gone;
}

}  // namespace
}  // namespace tidemill
