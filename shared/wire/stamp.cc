#include "shared/wire/stamp.h"

#include <algorithm>

#include "shared/base/assert.h"

namespace tidemill {

bool lies_in(const Ancestry& ancestry, const Stamp& stamp) {
  return std::any_of(ancestry.begin(), ancestry.end(), [&](const Stamp& own) {
    return own.epoch == stamp.epoch && stamp.version <= own.version;
  });
}

void advance(Ancestry* ancestry, const Stamp& stamp) {
  if (!ancestry->empty() && ancestry->back().epoch == stamp.epoch) {
    ASSERT(ancestry->back().version <= stamp.version);
    ancestry->back().version = stamp.version;
    return;
  }
  ASSERT(ancestry->empty() || ancestry->back().epoch < stamp.epoch);
  ancestry->push_back(stamp);
  if (ancestry->size() > kMaxAncestors) ancestry->erase(ancestry->begin());
}

}  // namespace tidemill
