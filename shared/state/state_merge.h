// StateMerge: walks the keys of several parts of a state at once, each key with the values that the
// parts have of it, oldest first.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/state/state_cursor.h"

namespace tidemill {

class StateMerge {
 public:
  // Walks the keys of `parts`, oldest first. `older` come before all of them: only what they hold
  // of these keys is read.
  StateMerge(std::vector<std::unique_ptr<StateCursor>> older,
             std::vector<std::unique_ptr<StateCursor>> parts);

  // To the first key, then to the next. False at the end.
  Result<bool> next();
  // Valid until next().
  std::string_view key() const { return key_; }
  std::span<const std::string_view> values() const { return values_; }

 private:
  Status advance(size_t part);
  bool before(size_t a, size_t b) const;

  std::vector<std::unique_ptr<StateCursor>> older_;
  std::vector<std::unique_ptr<StateCursor>> parts_;
  std::vector<size_t> heap_;     // parts that are not at the current key, by key and age
  std::vector<size_t> current_;  // parts that are at it; at first all
  bool begun_ = false;
  std::string_view key_;
  std::vector<std::string_view> values_;
};

}  // namespace tidemill
