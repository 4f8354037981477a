#include "shared/state/state_db.h"

#include <rocksdb/cache.h>
#include <rocksdb/sst_file_reader.h>

#include <utility>

#include "shared/state/env_files.h"
#include "shared/state/sst_file.h"
#include "shared/state/state_directories.h"

namespace tidemill {
namespace {

constexpr size_t kCacheBytes = 1u << 20;
constexpr size_t kMemtableBytes = 64u << 10;  // nothing is ever put into it
constexpr size_t kArenaBlockBytes = 4u << 10;

class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

class UnsyncedFile final : public rocksdb::WritableFileWrapper {
 public:
  explicit UnsyncedFile(std::unique_ptr<rocksdb::WritableFile> file)
      : WritableFileWrapper(file.get()), file_(std::move(file)) {}
  rocksdb::Status Sync() override { return file_->Flush(); }
  rocksdb::Status Fsync() override { return file_->Flush(); }

 private:
  std::unique_ptr<rocksdb::WritableFile> file_;
};

class UnsyncedDirectory final : public rocksdb::Directory {
 public:
  rocksdb::Status Fsync() override { return rocksdb::Status::OK(); }
  rocksdb::Status Close() override { return rocksdb::Status::OK(); }
};

class UnsyncedEnv final : public rocksdb::EnvWrapper {
 public:
  explicit UnsyncedEnv(rocksdb::Env* env) : EnvWrapper(env) {}

  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    std::unique_ptr<rocksdb::WritableFile> inner;
    const auto s = target()->NewWritableFile(path, &inner, options);
    if (s.ok()) *file = std::make_unique<UnsyncedFile>(std::move(inner));
    return s;
  }
  // An ingested file is reopened only to be synced.
  rocksdb::Status ReopenWritableFile(const std::string& /*path*/,
                                     std::unique_ptr<rocksdb::WritableFile>* /*file*/,
                                     const rocksdb::EnvOptions& /*options*/) override {
    return rocksdb::Status::NotSupported("files here are never synced");
  }
  rocksdb::Status NewDirectory(const std::string& /*path*/,
                               std::unique_ptr<rocksdb::Directory>* directory) override {
    *directory = std::make_unique<UnsyncedDirectory>();
    return rocksdb::Status::OK();
  }
};

rocksdb::Options db_options(rocksdb::Env* env, std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::Options options = state_options(env, std::move(cache));
  options.create_if_missing = true;
  options.error_if_exists = true;
  options.info_log = std::make_shared<NoLog>();
  options.disable_auto_compactions = true;
  options.level0_slowdown_writes_trigger = INT32_MAX;
  options.level0_stop_writes_trigger = INT32_MAX;
  options.write_buffer_size = kMemtableBytes;
  options.arena_block_size = kArenaBlockBytes;
  options.max_background_jobs = 1;
  options.max_open_files = -1;
  options.table_cache_numshardbits = 0;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.skip_stats_update_on_db_open = true;
  options.avoid_flush_during_shutdown = true;
  return options;
}

// RocksDB takes it for granted, when it ingests a file, that the last key can be read if the first
// one can: with its assertions it would end the process.
Status check_ends(rocksdb::Env* env, const std::string& file) {
  rocksdb::SstFileReader reader(state_options(env));
  if (auto s = reader.Open(file); !s.ok()) return disk_error("reading " + file, s);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(reader.NewIterator(options));
  at->SeekToFirst();
  if (at->Valid()) at->SeekToLast();
  if (at->Valid()) return {};
  if (!at->status().ok()) return disk_error("reading " + file, at->status());
  return corrupt_error(file + " has no keys");
}

}  // namespace

StateDb::StateDb(std::shared_ptr<Disk> disk, std::string directory)
    : disk_(std::move(disk)),
      directory_(std::move(directory)),
      unsynced_(std::make_unique<UnsyncedEnv>(disk_->env())),
      cache_(rocksdb::NewLRUCache(kCacheBytes, 0)) {}

StateDb::~StateDb() {
  db_.reset();
  // What cannot be removed now is removed as unused later.
  static_cast<void>(remove_directory(*disk_, directory_).ok());
}

Result<std::unique_ptr<StateDb>> StateDb::open(std::shared_ptr<Disk> disk,
                                               const std::string& directory,
                                               const std::vector<std::string>& files) {
  std::unique_ptr<StateDb> out(new StateDb(std::move(disk), directory));
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::Open(db_options(out->unsynced_.get(), out->cache_), directory, &db);
  if (!s.ok()) return disk_error("opening " + directory, s);
  out->db_.reset(db);
  if (Status ingested = out->ingest(files); !ingested) return ingested.error();
  return out;
}

Status StateDb::ingest(const std::vector<std::string>& files) {
  std::vector<std::string> links;
  for (const std::string& file : files) {
    if (Status readable = check_ends(disk_->env(), file); !readable) return readable;
    links.push_back(directory_ + "/link-" + std::to_string(links_++));
    if (Status linked = link_or_copy(disk_->env(), file, links.back()); !linked) return linked;
  }
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;  // the links
  options.write_global_seqno = false;
  options.allow_blocking_flush = false;
  return to_status("opening the files of " + directory_, db_->IngestExternalFile(links, options));
}

Result<std::vector<std::string>> StateDb::get(const std::vector<std::string>& keys) {
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<std::string> values;
  const auto statuses = db_->MultiGet({}, slices, &values);
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (statuses[i].IsNotFound()) {
      values[i].clear();
    } else if (!statuses[i].ok()) {
      return disk_error("reading " + directory_, statuses[i]);
    }
  }
  return values;
}

uint64_t StateDb::memory_bytes() const {
  uint64_t readers = 0;
  uint64_t memtables = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kEstimateTableReadersMem, &readers);
  db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeAllMemTables, &memtables);
  return readers + memtables + cache_->GetUsage();
}

}  // namespace tidemill
