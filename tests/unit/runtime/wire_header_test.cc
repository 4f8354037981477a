#include "shared/runtime/real/wire_header.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "shared/runtime/random.h"

namespace tidemill {
namespace {

WireHeader random_header(Random& r) {
  const auto u16 = [&r] { return static_cast<uint16_t>(r.next()); };
  return {{NodeId{r.next()}, {u16(), u16()}}, {NodeId{r.next()}, {u16(), u16()}}, u16(), r.next()};
}

TEST(WireHeader, ReadsWhatItWrote) {
  EXPECT_TRUE(rc::check([](uint64_t seed) {
    Random random(seed);
    const WireHeader in = random_header(random);
    const auto out = decode_wire_header(encode_wire_header(in));
    RC_ASSERT(out.has_value());
    RC_ASSERT(out->from == in.from);
    RC_ASSERT(out->to == in.to);
    RC_ASSERT(out->type == in.type);
    RC_ASSERT(out->body_bytes == in.body_bytes);
  }));
}

TEST(WireHeader, EveryFlippedBitIsNoticed) {
  Random random(1);
  const WireHeaderBytes good = encode_wire_header(random_header(random));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    WireHeaderBytes bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1u << (bit % 8)));
    EXPECT_FALSE(decode_wire_header(bad).has_value()) << bit;
  }
}

TEST(WireHeader, AnyOtherSizeIsRefused) {
  Random random(1);
  const WireHeaderBytes good = encode_wire_header(random_header(random));
  std::vector<uint8_t> bytes(good.begin(), good.end());
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(decode_wire_header(std::span(bytes).first(n)).has_value());
  }
  bytes.push_back(0);
  EXPECT_FALSE(decode_wire_header(bytes).has_value());
}

// docs/formats/transport.md, byte by byte.
TEST(WireHeader, GoldenBytes) {
  const WireHeader header{{NodeId{0x0807060504030201}, {0x1211, 0x1413}},
                          {NodeId{0x2827262524232221}, {0x3231, 0x3433}},
                          0x4241,
                          0x55};
  const WireHeaderBytes bytes = encode_wire_header(header);
  const std::array<uint8_t, 48> expected{'T',  'D',  'M',  'L',  1,    0,    0x41, 0x42, 0x01, 0x02,
                                         0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x21, 0x22, 0x23, 0x24,
                                         0x25, 0x26, 0x27, 0x28, 0x11, 0x12, 0x13, 0x14, 0x31, 0x32,
                                         0x33, 0x34, 0,    0,    0,    0,    0,    0,    0,    0,
                                         0x55, 0,    0,    0,    0,    0,    0,    0};
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes.begin()));
}

}  // namespace
}  // namespace tidemill
