#include "shared/base/buffer.h"

#include <gtest/gtest.h>

namespace tidemill {
namespace {

TEST(Buffer, HoldsBytesOrText) {
  EXPECT_TRUE(Buffer().empty());
  EXPECT_EQ(Buffer().size(), 0u);
  EXPECT_EQ(Buffer(std::vector<uint8_t>{'a', 'b'}).view(), "ab");
  EXPECT_EQ(Buffer(std::string("ab")).bytes()[1], 'b');
}

TEST(Buffer, CopiesAndSlicesShareTheBytesAndKeepThem) {
  Buffer tail;
  const uint8_t* at = nullptr;
  {
    const Buffer whole(std::string("0123456789"));
    at = whole.data();
    const Buffer copy = whole;  // NOLINT(performance-unnecessary-copy-initialization)
    EXPECT_EQ(copy.data(), at);
    tail = whole.slice(2, 7).slice(3, 4);
  }
  EXPECT_EQ(tail.view(), "5678");
  EXPECT_EQ(tail.data(), at + 5);
  EXPECT_TRUE(tail.slice(4, 0).empty());
}

TEST(Buffer, KeepsTheOwnerOfForeignBytes) {
  auto owner = std::make_shared<std::vector<uint8_t>>(16, 7);
  std::weak_ptr<std::vector<uint8_t>> alive = owner;
  Buffer slice;
  {
    const Buffer whole(owner, std::span<const uint8_t>(owner->data(), owner->size()));
    owner.reset();
    slice = whole.slice(8, 8);
  }
  EXPECT_FALSE(alive.expired());
  EXPECT_EQ(slice.bytes()[0], 7);
  slice = Buffer();
  EXPECT_TRUE(alive.expired());
}

TEST(BufferDeathTest, ASliceOutsideIsAProgrammersError) {
  const Buffer b(std::string("abc"));
  EXPECT_DEATH(static_cast<void>(b.slice(4, 0)), "");
  EXPECT_DEATH(static_cast<void>(b.slice(1, 3)), "");
  EXPECT_DEATH(static_cast<void>(b.slice(1, SIZE_MAX)), "");
}

}  // namespace
}  // namespace tidemill
