#include "shared/snapshot/object_name.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

TEST(ObjectName, IsWhatEveryStorageTakes) {
  for (const char* name :
       {"a", "job-00000001/k-00017/000000000000000a/base-1.sst", "A_b.c-d", "a/b", "a..b", "0"}) {
    EXPECT_TRUE(is_object_name(name)) << name;
    EXPECT_TRUE(check_object_name(name).ok()) << name;
  }
  EXPECT_TRUE(is_object_name(std::string(512, 'x')));
}

TEST(ObjectName, LeadsNowhereElse) {
  for (const char* name : {"", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", ".a",
                           "a/.b", "a b", "a\\b", "a\nb", "a%2e", "\xc3\xa4", "a.partial", "a:b"}) {
    EXPECT_FALSE(is_object_name(name)) << name;
    EXPECT_EQ(check_object_name(name).error().code(), ErrorCode::kCorrupt) << name;
  }
  EXPECT_FALSE(is_object_name(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_object_name(std::string(513, 'x')));
}

TEST(ObjectName, APartialOneIsNamedAfterIt) {
  EXPECT_EQ(without_partial_suffix("a/b.partial"), "a/b");
  EXPECT_EQ(without_partial_suffix("a/b"), "a/b");
}

}  // namespace
}  // namespace tidemill
