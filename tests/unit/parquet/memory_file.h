// Parquet files in memory.
#pragma once

#include <algorithm>
#include <string>

#include "shared/parquet/parquet_file.h"

namespace tidemill::test {

class MemoryInput : public ParquetInput {
 public:
  explicit MemoryInput(std::string bytes) : bytes_(std::move(bytes)) {}
  uint64_t size() const override { return bytes_.size(); }
  Status read(uint64_t offset, char* to, size_t bytes) override {
    if (offset + bytes > bytes_.size()) return fatal_error("outside of the file");
    std::copy_n(bytes_.data() + offset, bytes, to);
    return {};
  }

 private:
  std::string bytes_;
};

class MemoryOutput : public ParquetOutput {
 public:
  Status write(std::string_view bytes) override {
    if (full) return user_error("the disk is full");
    out.append(bytes);
    return {};
  }
  std::string out;
  bool full = false;
};

}  // namespace tidemill::test
