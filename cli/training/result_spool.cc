#include "cli/training/result_spool.h"

#include <algorithm>
#include <cstring>

#include "shared/base/assert.h"

namespace tidemill::training {
namespace {

constexpr size_t kBatchBytes = 256 << 10;
constexpr uint64_t kFewestRows = 1024;  // of a bucket
constexpr uint64_t kMostBuckets = 4096;
constexpr size_t kHeadBytes = 16;  // u64 row | u32 group | u32 bytes

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

void append_result(uint64_t row, uint32_t group, std::string_view values, std::string* out) {
  char head[kHeadBytes];
  const auto size = static_cast<uint32_t>(values.size());
  std::memcpy(head, &row, 8);
  std::memcpy(head + 8, &group, 4);
  std::memcpy(head + 12, &size, 4);
  out->append(head, sizeof head).append(values);
}

ResultSpool::ResultSpool(uint64_t rows, size_t groups, size_t row_bytes, uint64_t budget,
                         std::string directory)
    : rows_(rows), groups_(groups), budget_(budget), directory_(std::move(directory)) {
  // A bucket and the one that is written from it take a quarter of the budget each.
  bucket_rows_ = std::max({kFewestRows, budget / 4 / std::max<size_t>(row_bytes, 1),
                           (rows + kMostBuckets - 1) / kMostBuckets});
  buckets_.resize((rows + bucket_rows_ - 1) / bucket_rows_);
}

Status ResultSpool::add(size_t bucket, std::string results) {
  const std::lock_guard lock(mutex_);
  held_ += results.size();
  Held& held = buckets_[bucket];
  if (held.bytes.empty()) {
    held.bytes = std::move(results);
  } else {
    held.bytes += results;
  }
  return held_ > budget_ ? spill() : Status{};
}

Status ResultSpool::spill() {
  if (!file_) {
    auto file = SpillFile::open(directory_);
    if (!file) return file.error();
    file_ = std::move(file).value();
  }
  for (Held& held : buckets_) {
    if (held.bytes.empty()) continue;
    const auto at = file_->append(bytes_of(held.bytes));
    if (!at) return at.error();
    held.spilled.push_back({*at, held.bytes.size()});
    std::string().swap(held.bytes);  // and its memory
  }
  held_ = 0;
  return {};
}

Status ResultSpool::read(size_t bucket, Bucket* out) {
  Held held = std::move(buckets_[bucket]);
  out->bytes = std::move(held.bytes);
  for (const Piece& piece : held.spilled) {
    const size_t had = out->bytes.size();
    out->bytes.resize(had + piece.bytes);
    auto* const to = reinterpret_cast<uint8_t*>(out->bytes.data()) + had;
    if (Status read = file_->read(piece.offset, {to, piece.bytes}); !read) return read;
  }
  out->first_row = bucket * bucket_rows_;
  out->rows = std::min(bucket_rows_, rows_ - out->first_row);
  out->values.assign(out->rows * groups_, {});
  size_t results = 0;
  for (size_t at = 0; at < out->bytes.size(); ++results) {
    uint64_t row = 0;
    uint32_t group = 0;
    uint32_t size = 0;
    std::memcpy(&row, out->bytes.data() + at, 8);
    std::memcpy(&group, out->bytes.data() + at + 8, 4);
    std::memcpy(&size, out->bytes.data() + at + 12, 4);
    at += kHeadBytes;
    out->values[(row - out->first_row) * groups_ + group] = {out->bytes.data() + at, size};
    at += size;
  }
  ASSERT(results == out->values.size());
  return {};
}

Status ResultBatch::add(uint64_t row, uint32_t group, std::string_view values) {
  append_result(row, group, values, &buckets_[row / spool_->bucket_rows()]);
  bytes_ += kHeadBytes + values.size();
  return bytes_ >= kBatchBytes ? flush() : Status{};
}

Status ResultBatch::flush() {
  for (auto& [bucket, results] : buckets_) {
    if (Status added = spool_->add(bucket, std::move(results)); !added) return added;
  }
  buckets_.clear();
  bytes_ = 0;
  return {};
}

}  // namespace tidemill::training
