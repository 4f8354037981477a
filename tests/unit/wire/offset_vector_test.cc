#include "shared/wire/offset_vector.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "shared/base/result.h"
#include "tests/unit/wire/arbitrary.h"

namespace tidemill {
namespace {

OffsetVector at(const std::vector<uint64_t>& offsets) {
  OffsetVector out;
  for (const uint64_t o : offsets) out.push_back({o, 0, false});
  return out;
}

TEST(Covers, EveryComponentIsAtOrPast) {
  struct Case {
    std::vector<uint64_t> a, b;
    bool covers;
  };
  const std::vector<Case> cases{
      {{}, {}, true},          {{5, 5}, {5, 5}, true},  {{6, 5}, {5, 5}, true},
      {{5, 4}, {5, 5}, false}, {{9, 4}, {5, 5}, false}, {{}, {0, 0}, true},
      {{}, {0, 1}, false},     {{7}, {7, 0}, true},     {{7}, {7, 1}, false},
      {{7, 7}, {7}, true},     {{7, 0}, {}, true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(covers(at(c.a), at(c.b)), c.covers)
        << testing::PrintToString(c.a) << " over " << testing::PrintToString(c.b);
  }
}

TEST(Covers, LooksAtOffsetsOnly) { EXPECT_TRUE(covers({{5, 10, false}}, {{5, 20, true}})); }

RC_GTEST_PROP(Position, ReadsBack, ()) {
  const SourcePosition p = test::any_position();
  ByteWriter out;
  put_position(p, &out);
  RC_ASSERT(out.size() == 33u);
  ByteReader in(out.bytes());
  RC_ASSERT(get_position(&in) == p);
  RC_ASSERT(in.ok());
}

TEST(Position, IsNothingToBeginWith) {
  EXPECT_EQ(SourcePosition(), (SourcePosition{0, kMinTime, false}));
  ByteReader empty(std::span<const uint8_t>{});
  get_position(&empty);
  EXPECT_FALSE(empty.ok());
}

}  // namespace
}  // namespace tidemill
