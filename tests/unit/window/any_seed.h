// A seed for what a property makes up by itself.
#pragma once

#include <rapidcheck.h>

#include <cstdint>

namespace tidemill::testing {

// Of 64 bits in every case: an arbitrary number is small in the first ones, and of thousands of
// cases many would be alike. A smaller seed is no simpler case, so it is not shrunk.
inline uint64_t any_seed() {
  return *rc::gen::noShrink(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<uint64_t>()));
}

}  // namespace tidemill::testing
