#include "shared/base/bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

TEST(ByteWriter, IsLittleEndianAndFixedWidth) {
  ByteWriter out;
  out.put(uint8_t{0x01});
  out.put(uint32_t{0x05040302});
  out.put_string("ab");
  out.align(4);
  EXPECT_EQ(out.bytes(), (std::vector<uint8_t>{1, 2, 3, 4, 5, 2, 0, 0, 0, 'a', 'b', 0}));
  out.align(4);
  EXPECT_EQ(out.size(), 12u);
}

TEST(ByteWriter, PatchesAndReservesInPlace) {
  ByteWriter out;
  out.put(uint32_t{0});
  uint8_t* at = out.reserve(2);
  EXPECT_EQ(at[0], 0);
  at[1] = 9;
  out.patch(1, uint16_t{0x0807});
  EXPECT_EQ(out.take(), (std::vector<uint8_t>{0, 7, 8, 0, 0, 9}));
  out.clear();
  EXPECT_EQ(out.size(), 0u);
}

TEST(ByteReader, PastTheEndYieldsZerosAndRemembers) {
  const std::vector<uint8_t> bytes{1, 2, 3};
  ByteReader in(bytes);
  EXPECT_EQ(in.get<uint16_t>(), 0x0201);
  EXPECT_EQ(in.remaining(), 1u);
  EXPECT_EQ(in.get<uint32_t>(), 0u);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_EQ(in.get<uint8_t>(), 0);  // although a byte is left
  EXPECT_EQ(in.position(), 2u);
}

TEST(ByteReader, RefusesALengthThatWouldOverflow) {
  const std::vector<uint8_t> bytes(16, 0xff);
  ByteReader in(bytes);
  in.get<uint64_t>();
  EXPECT_TRUE(in.take(SIZE_MAX).empty());
  EXPECT_FALSE(in.ok());
  ByteReader strings(bytes);
  EXPECT_EQ(strings.get_string(), "");
  EXPECT_FALSE(strings.ok());
}

TEST(ByteReader, AlignsAndFails) {
  const std::vector<uint8_t> bytes(10, 1);
  ByteReader in(bytes);
  in.align(8);
  EXPECT_EQ(in.position(), 0u);
  in.get<uint8_t>();
  in.align(8);
  EXPECT_EQ(in.position(), 8u);
  in.get<uint8_t>();
  in.align(8);
  EXPECT_FALSE(in.ok());
  ByteReader failed(bytes);
  failed.fail();
  EXPECT_FALSE(failed.ok());
  EXPECT_TRUE(failed.take(0).empty());
}

RC_GTEST_PROP(Bytes, WhatIsWrittenReadsBack, ()) {
  const auto a = *rc::gen::arbitrary<uint64_t>();
  const auto b = *rc::gen::arbitrary<int32_t>();
  const auto c = *rc::gen::arbitrary<double>();
  const auto d = *rc::gen::arbitrary<uint8_t>();
  const auto s = *rc::gen::arbitrary<std::string>();
  ByteWriter out;
  out.put(d);
  out.put(a);
  out.put_string(s);
  out.align(8);
  out.put(b);
  out.put(c);
  ByteReader in(out.bytes());
  RC_ASSERT(in.get<uint8_t>() == d);
  RC_ASSERT(in.get<uint64_t>() == a);
  RC_ASSERT(in.get_string() == s);
  in.align(8);
  RC_ASSERT(in.get<int32_t>() == b);
  RC_ASSERT(in.get<double>() == c);
  RC_ASSERT(in.ok());
  RC_ASSERT(in.remaining() == 0u);
}

// Whatever is asked of whatever bytes, the reader stays inside them.
RC_GTEST_PROP(Bytes, NothingReadsPastTheEnd, (const std::vector<uint8_t>& bytes)) {
  ByteReader in(bytes);
  for (int step = 0; step < 30; ++step) {
    std::span<const uint8_t> got;
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        in.get<uint32_t>();
        break;
      case 1:
        got = in.take(*rc::gen::arbitrary<size_t>());
        break;
      case 2: {
        const std::string_view text = in.get_string();
        got = {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
        break;
      }
      default:
        in.align(8);
    }
    RC_ASSERT(in.position() <= bytes.size());
    if (!got.empty()) {
      RC_ASSERT(got.data() >= bytes.data());
      RC_ASSERT(got.data() + got.size() <= bytes.data() + bytes.size());
    }
  }
}

}  // namespace
}  // namespace tidemill
