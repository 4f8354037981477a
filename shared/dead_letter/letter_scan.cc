#include "shared/dead_letter/letter_scan.h"

#include <algorithm>

namespace tidemill {
namespace {

constexpr size_t kBlockBytes = 64 << 10;

}  // namespace

Error LetterScan::corrupt(const std::string& what) const {
  // Which line it is takes another look at the file: people count lines, not bytes.
  const uint64_t place = block_at_ + line_;
  uint64_t lines = 1;
  std::string bytes(kBlockBytes, '\0');
  for (uint64_t at = 0; at < place;) {
    const auto n = files_->read(path_, at, bytes);
    if (!n || *n == 0) break;
    const auto used = static_cast<ptrdiff_t>(std::min<uint64_t>(*n, place - at));
    lines += static_cast<uint64_t>(std::count(bytes.begin(), bytes.begin() + used, '\n'));
    at += static_cast<uint64_t>(used);
  }
  return corrupt_error("dead letters: " + files_->full_path(path_) + ", line " +
                       std::to_string(lines) + ": " + what +
                       "; delete the line, which loses this record's dead letter");
}

void LetterScan::go_to(uint64_t offset) {
  block_.clear();
  block_at_ = offset;
  at_ = line_ = length_ = 0;
}

// Appends to the block what the file has next; drops what lies before at_.
Result<bool> LetterScan::fill() {
  block_.erase(0, at_);
  block_at_ += at_;
  at_ = line_ = 0;
  const size_t held = block_.size();
  block_.resize(held + kBlockBytes);
  auto n = files_->read(path_, block_at_ + held, std::span(block_).subspan(held));
  block_.resize(held + (n ? *n : 0));
  if (!n) return n.error();
  return *n > 0;
}

Result<bool> LetterScan::take_line() {
  for (size_t looked = 0;;) {
    const size_t newline = block_.find('\n', at_ + looked);
    if (newline != std::string::npos) {
      line_ = at_;
      length_ = newline - at_;
      at_ = newline + 1;
      return true;
    }
    looked = block_.size() - at_;
    if (looked > kLetterLineBytes) {
      line_ = at_;
      return corrupt("this is longer than any dead letter");
    }
    const auto more = fill();
    if (!more) return more.error();
    if (!*more) return false;
  }
}

Result<bool> LetterScan::next() {
  const auto taken = take_line();
  if (!taken || !*taken) return taken;
  auto head = parse_letter_head(line());
  if (!head) return corrupt("this is not a dead letter");
  if (head_ && head->key <= head_->key) {
    return corrupt("offset " + std::to_string(head->key.offset) + " is not behind the line before");
  }
  head_ = std::move(head);
  return true;
}

// Halves the file until what is left is about a block, then goes line by line.
Status LetterScan::seek_behind(const LetterKey& key) {
  const auto size = files_->size(path_);
  if (!size) return size.error();
  uint64_t low = 0;  // a line begins here, and all before it are at or before `key`
  for (uint64_t high = *size; high - low > kBlockBytes;) {
    const uint64_t middle = low + (high - low) / 2;
    go_to(middle);
    auto taken = take_line();  // the rest of the line that `middle` is in
    if (taken && *taken) taken = take_line();
    if (!taken) return taken.error();
    if (!*taken || block_at_ + line_ >= high) {
      high = middle;
      continue;
    }
    const auto head = parse_letter_head(line());
    if (!head) return corrupt("this is not a dead letter");
    (head->key <= key ? low : high) = head->key <= key ? block_at_ + line_ : middle;
  }
  go_to(low);
  for (;;) {
    const uint64_t here = end();
    const auto found = next();
    if (!found) return found.error();
    if (*found && head_->key <= key) continue;
    head_.reset();
    go_to(here);
    return {};
  }
}

Result<DeadLetter> LetterScan::letter() const {
  auto letter = parse_letter_line(line());
  if (!letter) return corrupt("this is not a dead letter");
  return std::move(*letter);
}

PartitionScan::PartitionScan(LetterFiles* files, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    scans_.push_back(std::make_unique<LetterScan>(files, path));
  }
}

Status PartitionScan::seek_behind(const LetterKey& key) {
  for (const auto& scan : scans_) {
    if (auto found = scan->seek_behind(key); !found) return found;
  }
  return {};
}

Status PartitionScan::wait(Waiting waiting) {
  const auto found = waiting.scan->next();
  if (!found) return found.error();
  if (!*found) return {};
  waiting_.push_back(waiting);
  std::push_heap(waiting_.begin(), waiting_.end());
  return {};
}

Result<bool> PartitionScan::next() {
  std::optional<LetterKey> last;
  if (!begun_) {
    begun_ = true;
    for (size_t epoch = 0; epoch < scans_.size(); ++epoch) {
      if (auto put = wait({scans_[epoch].get(), epoch}); !put) return put.error();
    }
  } else if (!waiting_.empty()) {
    last = head().key;
  }
  for (;;) {
    if (last) {  // the current one, and then those of higher epochs that repeat it
      const Waiting current = waiting_.back();
      waiting_.pop_back();
      if (auto put = wait(current); !put) return put.error();
    }
    if (waiting_.empty()) return false;
    std::pop_heap(waiting_.begin(), waiting_.end());
    if (!last || head().key != *last) return true;
  }
}

}  // namespace tidemill
