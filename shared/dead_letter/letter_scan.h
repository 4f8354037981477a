// Reading dead letters in the order of their keys while they are written: one file, and all files
// of one source partition. Memory: a block per file, however long it is. A last line without its
// newline is still being written, or was torn by a crash: it is not there.
//
// Blocking; used by one task at a time. A line that is not one of ours, or out of order, is
// kCorrupt and says in which file and line.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/dead_letter/letter_files.h"
#include "shared/dead_letter/letter_line.h"

namespace tidemill {

class LetterScan {
 public:
  LetterScan(LetterFiles* files, std::string path) : files_(files), path_(std::move(path)) {}

  // The next line is the first one behind `key`. Before any next().
  Status seek_behind(const LetterKey& key);
  // On to the next line; false: there is none (now).
  Result<bool> next();

  // Of the line that next() found; valid until the next next().
  const LetterHead& head() const { return *head_; }
  std::string_view line() const { return std::string_view(block_).substr(line_, length_); }
  Result<DeadLetter> letter() const;
  // Where the last line that next() found ends, in bytes.
  uint64_t end() const { return block_at_ + at_; }
  const std::string& path() const { return path_; }

 private:
  void go_to(uint64_t offset);
  Result<bool> fill();
  // A complete line, not looked into; false at the end.
  Result<bool> take_line();
  Error corrupt(const std::string& what) const;

  LetterFiles* files_;
  std::string path_;
  std::string block_;  // bytes of the file from block_at_ on
  uint64_t block_at_ = 0;
  size_t at_ = 0;    // in block_: behind the current line
  size_t line_ = 0;  // in block_: the current line and its length
  size_t length_ = 0;
  std::optional<LetterHead> head_;
};

// One source partition: files of several epochs, each key once. Of a repeated key the lowest epoch
// is taken.
class PartitionScan {
 public:
  // `paths` by epoch, rising.
  PartitionScan(LetterFiles* files, const std::vector<std::string>& paths);

  Status seek_behind(const LetterKey& key);  // before any next()
  Result<bool> next();
  // Of what next() found.
  const LetterHead& head() const { return waiting_.back().scan->head(); }
  Result<DeadLetter> letter() const { return waiting_.back().scan->letter(); }
  // One per path.
  const std::vector<std::unique_ptr<LetterScan>>& files() const { return scans_; }

 private:
  struct Waiting {
    LetterScan* scan;
    size_t epoch;  // its rank
    // For a heap whose first is the least key, of the lowest epoch.
    friend bool operator<(const Waiting& a, const Waiting& b) {
      const auto order = a.scan->head().key <=> b.scan->head().key;
      return order != 0 ? order > 0 : a.epoch > b.epoch;
    }
  };
  // Moves it to its next line and into the heap, if it has one.
  Status wait(Waiting waiting);

  std::vector<std::unique_ptr<LetterScan>> scans_;
  // A heap of files that have a line; the current one is the last, outside the heap.
  std::vector<Waiting> waiting_;
  bool begun_ = false;
};

}  // namespace tidemill
