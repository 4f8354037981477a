// StateCursor: keys and values of a part of a state, rising by key, without the head.
#pragma once

#include <string_view>

#include "shared/base/result.h"

namespace tidemill {

class StateCursor {
 public:
  virtual ~StateCursor() = default;
  virtual bool valid() const = 0;  // false: at the end, or failed
  virtual Status status() const = 0;
  // Of a valid cursor; good until it moves.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual void next() = 0;
  // To the first key at or after `key`, which is not before the one it is at.
  virtual void advance_to(std::string_view key) = 0;
};

}  // namespace tidemill
