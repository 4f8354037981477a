// Mailbox: what waits for an actor. Local objects (reads, views, results of blocking work) come
// before bytes, whose batches take milliseconds each; after some in a row comes one of bytes. Among
// either the order is kept.
#pragma once

#include <deque>
#include <utility>

#include "shared/runtime/runtime.h"

namespace tidemill {

class Mailbox {
 public:
  static constexpr size_t kLocalInARow = 8;

  bool empty() const { return local_.empty() && bytes_.empty(); }
  void clear() {
    local_.clear();
    bytes_.clear();
  }
  void push(Message message) {
    (message.local != nullptr ? local_ : bytes_).push_back(std::move(message));
  }
  // There is one.
  Message pop() {
    const bool local = bytes_.empty() || (!local_.empty() && local_in_a_row_ < kLocalInARow);
    local_in_a_row_ = local ? local_in_a_row_ + 1 : 0;
    std::deque<Message>& from = local ? local_ : bytes_;
    Message out = std::move(from.front());
    from.pop_front();
    return out;
  }

 private:
  std::deque<Message> local_;
  std::deque<Message> bytes_;
  size_t local_in_a_row_ = 0;
};

}  // namespace tidemill
