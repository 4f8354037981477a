#include "shared/state/state_merge.h"

#include <algorithm>

namespace tidemill {

StateMerge::StateMerge(std::vector<std::unique_ptr<StateCursor>> older,
                       std::vector<std::unique_ptr<StateCursor>> parts)
    : older_(std::move(older)), parts_(std::move(parts)) {
  for (size_t i = 0; i < parts_.size(); ++i) current_.push_back(i);
}

// True if part b comes out first: the order of std::push_heap, whose top is the greatest.
bool StateMerge::before(size_t a, size_t b) const {
  const int order = parts_[a]->key().compare(parts_[b]->key());
  return order != 0 ? order > 0 : a > b;
}

Status StateMerge::advance(size_t part) {
  StateCursor& cursor = *parts_[part];
  if (begun_) cursor.next();
  if (!cursor.valid()) return cursor.status();
  heap_.push_back(part);
  std::push_heap(heap_.begin(), heap_.end(), [&](size_t a, size_t b) { return before(a, b); });
  return {};
}

Result<bool> StateMerge::next() {
  for (const size_t part : current_) {
    if (Status advanced = advance(part); !advanced) return advanced.error();
  }
  begun_ = true;
  current_.clear();
  values_.clear();
  if (heap_.empty()) return false;
  key_ = parts_[heap_.front()]->key();
  for (const auto& part : older_) {
    part->advance_to(key_);
    if (!part->valid()) {
      if (Status s = part->status(); !s) return s.error();
    } else if (part->key() == key_) {
      values_.push_back(part->value());
    }
  }
  while (!heap_.empty() && parts_[heap_.front()]->key() == key_) {
    const size_t part = heap_.front();
    std::pop_heap(heap_.begin(), heap_.end(), [&](size_t a, size_t b) { return before(a, b); });
    heap_.pop_back();
    current_.push_back(part);
    values_.push_back(parts_[part]->value());
  }
  return true;
}

}  // namespace tidemill
