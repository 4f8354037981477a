// Stamps and ancestry, by which two states of a key partition are compared.
//
// A version counts the changes of a state under all its owners: a new owner goes on counting from
// the version that it restored, under its own epoch. A stamp is (epoch, version). Stamps of
// different owners cannot be compared; a stamp that lies in a state's ancestry says that the state
// began with everything that the stamped one holds.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/base/ids.h"

namespace tidemill {

struct Stamp {
  Epoch epoch;
  uint64_t version = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// Oldest first; rising epochs, versions that do not fall; the last one is the state's own stamp.
// At most kMaxAncestors: the oldest are forgotten, and what lies there is then held to be no
// ancestor.
using Ancestry = std::vector<Stamp>;
inline constexpr size_t kMaxAncestors = 64;

// True if the state with this ancestry began with everything that a state of this stamp holds.
bool lies_in(const Ancestry& ancestry, const Stamp& stamp);
// The newest change is `stamp`: raises the last entry of that epoch, or adds one.
void advance(Ancestry* ancestry, const Stamp& stamp);

}  // namespace tidemill
