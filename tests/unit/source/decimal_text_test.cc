#include "shared/source/decimal_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

std::string text_of(const std::string& bytes, uint32_t scale) {
  std::string out;
  return decimal_text(bytes, scale, &out) ? out : "none";
}

TEST(DecimalText, OfKnownNumbers) {
  EXPECT_EQ(text_of(std::string(1, '\0'), 0), "0");
  EXPECT_EQ(text_of(std::string(5, '\0'), 3), "0.000");
  EXPECT_EQ(text_of("\xff", 2), "-0.01");
  EXPECT_EQ(text_of("\x80", 0), "-128");
  EXPECT_EQ(text_of("\x7f", 1), "12.7");
  EXPECT_EQ(text_of("\xff\xff\xff\x80", 0), "-128");
  // -2^511 and 2^511 - 1
  EXPECT_EQ(text_of("\x80" + std::string(63, '\0'), 0).substr(0, 20), "-6703903964971298549");
  EXPECT_EQ(text_of("\x7f" + std::string(63, '\xff'), 0).size(), 154u);
  EXPECT_EQ(text_of("", 0), "none");
  EXPECT_EQ(text_of(std::string(65, '\0'), 0), "none");
}

RC_GTEST_PROP(DecimalText, IsThatOfTheInteger, (int64_t number)) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(static_cast<uint64_t>(number) >> shift);
  }
  RC_ASSERT(text_of(bytes, 0) == std::to_string(number));
  // Bytes in front that say nothing change nothing.
  RC_ASSERT(text_of(std::string(7, number < 0 ? '\xff' : '\0') + bytes, 0) ==
            std::to_string(number));
}

}  // namespace
}  // namespace tidemill
