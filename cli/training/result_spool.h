// ResultSpool: computed values, which come key by key, until they are written row by row. Kept in
// memory up to a budget, beyond that on disk.
//
// Rows are in buckets of neighbours; a bucket's results are read back together.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/training/spill_file.h"

namespace tidemill::training {

// Encoded values of one row and one group of columns.
void append_result(uint64_t row, uint32_t group, std::string_view values, std::string* out);

class ResultSpool {
 public:
  // `row_bytes`: about how much one row takes. The file is made when it is needed.
  ResultSpool(uint64_t rows, size_t groups, size_t row_bytes, uint64_t budget,
              std::string directory);

  uint64_t bucket_rows() const { return bucket_rows_; }
  size_t buckets() const { return buckets_.size(); }

  // Results as append_result() writes them, all of one bucket. thread-safe
  Status add(size_t bucket, std::string results);

  // A bucket's results: of its i-th row and group g, values[i * groups + g]. Valid until the next
  // read. Every row must have been added for every group.
  struct Bucket {
    uint64_t first_row = 0;
    uint64_t rows = 0;
    std::string bytes;
    std::vector<std::string_view> values;
  };
  Status read(size_t bucket, Bucket* out);

  uint64_t spilled_bytes() const { return file_ ? file_->size() : 0; }

 private:
  struct Piece {
    uint64_t offset;
    uint64_t bytes;
  };
  struct Held {
    std::string bytes;
    std::vector<Piece> spilled;
  };
  Status spill();

  uint64_t rows_;
  size_t groups_;
  uint64_t bucket_rows_;
  uint64_t budget_;
  std::string directory_;
  std::mutex mutex_;
  std::vector<Held> buckets_;
  uint64_t held_ = 0;
  std::unique_ptr<SpillFile> file_;
};

// What one thread has computed and not handed over yet.
class ResultBatch {
 public:
  explicit ResultBatch(ResultSpool* spool) : spool_(spool) {}

  Status add(uint64_t row, uint32_t group, std::string_view values);
  Status flush();

 private:
  ResultSpool* spool_;
  std::map<size_t, std::string> buckets_;
  size_t bytes_ = 0;
};

}  // namespace tidemill::training
