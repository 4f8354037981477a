#include "shared/dead_letter/letter_storage.h"

#include <algorithm>

#include "shared/base/mutation.h"
#include "shared/dead_letter/letter_scan.h"

namespace tidemill {
namespace {

LetterKey key_of(const DeadLetter& letter) { return {letter.offset, letter.view}; }

class FileWriter : public DeadLetterWriter {
 public:
  FileWriter(std::shared_ptr<LetterFiles> files, const std::string& directory,
             SourcePartitionId source_partition, Epoch epoch)
      : files_(std::move(files)),
        directory_(directory),
        name_{source_partition.value, epoch.value},
        path_(directory + "/" + to_file_name(name_)) {}

  // What is there, of this epoch and of those before it.
  Status read() {
    const auto names = files_->list(directory_);
    if (!names) return names.error();
    std::vector<std::string> paths;
    for (const std::string& text : *names) {
      LetterFileName name;
      if (!parse_file_name(text, &name) || name.source_partition != name_.source_partition)
        continue;
      if (name.epoch <= name_.epoch) paths.push_back(directory_ + "/" + text);
    }
    PartitionScan scan(files_.get(), paths);
    for (;;) {
      const auto found = scan.next();
      if (!found) return found.error();
      if (!*found) break;
      ++counts_[{scan.head().reason, scan.head().key.view}];
      last_ = scan.head().key;
    }
    // What was seen is passed by marks from now on. Whoever wrote it may not have synced it yet.
    for (const auto& file : scan.files()) {
      if (auto synced = files_->sync(file->path()); !synced) return synced;
      if (file->path() == path_) durable_bytes_ = file->end();
    }
    return {};
  }

  Status append(std::span<const DeadLetter> letters) override {
    ASSERT(std::is_sorted(letters.begin(), letters.end(),
                          [](const auto& a, const auto& b) { return key_of(a) < key_of(b); }));
    for (const DeadLetter& letter : letters) {
      ASSERT(letter.source_partition.value == name_.source_partition);
      LetterKey key = key_of(letter);
      if (last_ && key <= *last_ && !mutated(Mutation::kRepeatDeadLetters)) continue;
      append_letter_line(letter, &unwritten_);
      ++unwritten_counts_[{letter.reason, letter.view}];
      last_ = std::move(key);
    }
    return unwritten_.empty() ? Status{} : write();
  }

  const DeadLetterCounts& counts() const override { return counts_; }

 private:
  // After a failure the same bytes are written again at the same place: whole lines that got
  // through may have been read, and so must stay, and a torn one is completed.
  Status write() {
    if (!file_) {
      auto opened = files_->open(path_);
      if (!opened) return opened.error();
      file_ = std::move(opened).value();
      if (file_->size() < durable_bytes_ && file_->size() > 0) {
        return corrupt_error("dead letters: " + files_->full_path(path_) +
                             " has been shortened; delete it");
      }
      if (file_->size() == 0) durable_bytes_ = 0;  // somebody has deleted it
    }
    if (auto written = file_->write(durable_bytes_, unwritten_); !written) {
      file_.reset();
      return written;
    }
    durable_bytes_ += unwritten_.size();
    unwritten_.clear();
    for (const auto& [what, letters] : unwritten_counts_) counts_[what] += letters;
    unwritten_counts_.clear();
    return {};
  }

  std::shared_ptr<LetterFiles> files_;
  std::string directory_;
  LetterFileName name_;
  std::string path_;
  std::unique_ptr<LetterFile> file_;
  uint64_t durable_bytes_ = 0;  // of the file: whole lines
  std::string unwritten_;       // lines behind them; not empty only after a failure
  DeadLetterCounts unwritten_counts_;
  std::optional<LetterKey> last_;  // of unwritten_, else the last durable one
  DeadLetterCounts counts_;
};

}  // namespace

Result<std::unique_ptr<DeadLetterWriter>> FiledDeadLetters::open(const std::string& job_name,
                                                                 JobId job,
                                                                 SourcePartitionId source_partition,
                                                                 Epoch epoch) {
  auto writer = std::make_unique<FileWriter>(files_, letter_directory_of(job_name, job.value),
                                             source_partition, epoch);
  if (auto read = writer->read(); !read) return read.error();
  return std::unique_ptr<DeadLetterWriter>(std::move(writer));
}

}  // namespace tidemill
