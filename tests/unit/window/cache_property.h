// What every kind of feature owes that keeps summaries of chunks: the caches change no value.
#pragma once

#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {

struct CacheProperty {
  size_t more_rows = 0;        // than 2,000, at the most
  int64_t values = 1;          // different integers in a column, at the most
  size_t late = 100;           // rows that come late, 100 at a time
  size_t features = 1;         // drawn; of these those are read that `takes` names
  size_t reference_every = 1;  // so many late rows values are compared with the reference's
  bool (*takes)(const FeatureSpec& feature) = nullptr;
};

// A RapidCheck property. Keys of several groups of chunks, read again and again while late rows
// change chunks under the caches.
void caches_change_nothing(const CacheProperty& of);

}  // namespace tidemill::testing
