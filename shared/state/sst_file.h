// SstFileOut and SstFileIn: one SST file of a state, written and read. The same records make the
// same bytes on every run: what RocksDB writes into a file at random is replaced.
//
// The format is RocksDB's block-based table, format version 5
// (https://github.com/facebook/rocksdb/wiki/Rocksdb-BlockBasedTable-Format).
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>

#include <memory>
#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/state/state_cursor.h"

namespace tidemill {

// Options that files are written with and read with, here and by SstReaders. An iterator that is
// not asked for total order passes over keys that the file's filter does not know.
rocksdb::Options state_options(rocksdb::Env* env);

struct WrittenFile {
  uint64_t bytes = 0;
  uint64_t checksum = 0;  // XXH3 64 of all of it
};

class SstFileOut {
 public:
  // `identity` is what no other file of the partition has: it names the file in block caches.
  SstFileOut(rocksdb::Env* env, std::string path, std::string_view identity);
  ~SstFileOut();

  Status open();
  // Keys rise. `replaces`: nothing of what other files hold of the key counts.
  Status add(std::string_view key, std::string_view value, bool replaces);
  // Syncs and closes it. There is at least one record.
  Result<WrittenFile> finish();

 private:
  class HashingEnv;

  std::string path_;
  std::unique_ptr<HashingEnv> env_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
};

class SstFileIn final : public StateCursor {
 public:
  static Result<std::unique_ptr<SstFileIn>> open(rocksdb::Env* env, const std::string& path);

  // The value of kHeadKey.
  const std::string& head() const { return head_; }

  bool valid() const override { return at_->Valid(); }
  Status status() const override;
  std::string_view key() const override { return {at_->key().data(), at_->key().size()}; }
  std::string_view value() const override { return {at_->value().data(), at_->value().size()}; }
  void next() override { at_->Next(); }
  void advance_to(std::string_view key) override;

 private:
  SstFileIn(rocksdb::Env* env, std::string path);

  std::string path_;
  rocksdb::SstFileReader reader_;
  std::unique_ptr<rocksdb::Iterator> at_;
  std::string head_;
};

}  // namespace tidemill
