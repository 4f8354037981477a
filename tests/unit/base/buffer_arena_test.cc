#include "shared/base/buffer_arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

namespace tidemill {
namespace {

std::vector<uint8_t> bytes_of(size_t size, uint8_t fill) {
  return std::vector<uint8_t>(size, fill);
}

// mincore(2) of a page that is not mapped fails.
bool mapped(const uint8_t* at) {
  constexpr uintptr_t kPage = 4096;
  unsigned char resident = 0;
  return ::mincore(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(at) / kPage * kPage), 1,
                   &resident) == 0;
}

TEST(BufferArena, CopiesLieAlignedOneBehindTheOther) {
  BufferArena arena;
  const Buffer a = arena.copy(bytes_of(13, 1));
  const Buffer b = arena.copy(bytes_of(8, 2));
  EXPECT_EQ(b.data(), a.data() + 16);
  EXPECT_EQ(a.view(), std::string(13, 1));
  EXPECT_EQ(b.view(), std::string(8, 2));
  EXPECT_TRUE(arena.copy({}).empty());
}

TEST(BufferArena, AChunkGoesBackWhenTheLastCopyInItIsGone) {
  BufferArena arena;
  Buffer a = arena.copy(bytes_of(100, 1));
  Buffer b = arena.copy(bytes_of(100, 2));
  const uint8_t* const at = a.data();
  arena.cut();
  const Buffer c = arena.copy(bytes_of(100, 3));
  a = Buffer();
  EXPECT_TRUE(mapped(at)) << "the second one is in it";
  EXPECT_EQ(b.view(), std::string(100, 2));
  b = Buffer();
  EXPECT_FALSE(mapped(at)) << "what came after the cut is elsewhere";
  EXPECT_EQ(c.view(), std::string(100, 3));
}

TEST(BufferArena, AFullChunkIsFollowedByAnotherAndWhatIsLargeHasItsOwn) {
  BufferArena arena;
  std::vector<Buffer> kept;
  for (int i = 0; i < 9; ++i) {
    kept.push_back(arena.copy(bytes_of(BufferArena::kChunkBytes / 4, static_cast<uint8_t>(i))));
  }
  const Buffer large = arena.copy(bytes_of(3 * BufferArena::kChunkBytes, 77));
  EXPECT_EQ(large.size(), 3 * BufferArena::kChunkBytes);
  EXPECT_EQ(large.bytes()[large.size() - 1], 77);
  for (int i = 0; i < 9; ++i) {
    const auto bytes = kept[static_cast<size_t>(i)].bytes();
    EXPECT_EQ(bytes.front(), i);
    EXPECT_EQ(bytes.back(), i);
  }
}

}  // namespace
}  // namespace tidemill
