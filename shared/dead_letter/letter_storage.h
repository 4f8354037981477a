// Dead letters in files, one per source partition and epoch: what the data plane writes.
// Format: docs/formats/dead_letters.md.
#pragma once

#include <memory>
#include <string>

#include "shared/dead_letter/dead_letter.h"
#include "shared/dead_letter/letter_files.h"

namespace tidemill {

// Open a writer once it is decided from which offset on is read: whatever lies before is durable
// then, by whomever it was written, and counts() says all of it. A writer that could not append
// says where and why (kRetryable), and writes what it left out with the next append, also if that
// one brings nothing new. A file that cannot be read as dead letters is kCorrupt.
class FiledDeadLetters : public DeadLetterStorage {
 public:
  explicit FiledDeadLetters(std::shared_ptr<LetterFiles> files) : files_(std::move(files)) {}
  Result<std::unique_ptr<DeadLetterWriter>> open(const std::string& job_name, JobId job,
                                                 SourcePartitionId source_partition,
                                                 Epoch epoch) override;

 private:
  std::shared_ptr<LetterFiles> files_;
};

// Below a directory that all processes share.
class DirectoryDeadLetters : public FiledDeadLetters {
 public:
  explicit DirectoryDeadLetters(std::string root)
      : FiledDeadLetters(letter_directory(std::move(root))) {}
};

}  // namespace tidemill
