#include "coordinator/metadata_store.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <charconv>
#include <cstdio>
#include <utility>

#include "coordinator/metadata_codec.h"

namespace tidemill {
namespace {

constexpr char kClusterKey[] = "cluster";
constexpr char kJobPrefix[] = "job/";
constexpr char kGrantsPrefix[] = "grants/";
constexpr char kGenerationFile[] = "GENERATION";
constexpr char kMemoryDirectory[] = "/coordinator";

std::string key_of(const char* prefix, JobId job) {
  char text[9];
  std::snprintf(text, sizeof(text), "%08x", job.value);
  return std::string(prefix) + text;
}

Error store_error(const std::string& doing, const rocksdb::Status& status) {
  const std::string message = doing + ": " + status.ToString();
  return status.IsCorruption() ? corrupt_error(message) : fatal_error(message);
}

template <typename Stored>
Result<Stored> parse(const rocksdb::Slice& bytes, const std::string& key) {
  Stored out;
  if (!out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return corrupt_error("coordinator metadata: the value of '" + key + "' does not parse");
  }
  return out;
}

}  // namespace

class MemoryDisk {
 public:
  MemoryDisk() : env_(rocksdb::NewMemEnv(rocksdb::Env::Default())) {}
  rocksdb::Env* env() { return env_.get(); }

 private:
  std::unique_ptr<rocksdb::Env> env_;
};

class MetadataStore::Impl {
 public:
  Impl(std::string directory, std::shared_ptr<MemoryDisk> disk)
      : directory_(std::move(directory)),
        disk_(std::move(disk)),
        env_(disk_ ? disk_->env() : rocksdb::Env::Default()) {}

  Status open() {
    if (auto s = env_->CreateDirIfMissing(directory_); !s.ok()) {
      return store_error("creating " + directory_, s);
    }
    rocksdb::Options options;
    options.env = env_;
    options.create_if_missing = true;
    options.paranoid_checks = true;
    options.track_and_verify_wals_in_manifest = true;
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    options.max_background_jobs = 1;
    options.write_buffer_size = 4u << 20;
    options.keep_log_file_num = 4;
    options.info_log_level = rocksdb::WARN_LEVEL;
    rocksdb::DB* db = nullptr;
    if (auto s = rocksdb::DB::Open(options, directory_ + "/db", &db); !s.ok()) {
      return store_error("opening the coordinator metadata in " + directory_, s);
    }
    db_.reset(db);
    return {};
  }

  Result<CoordinatorState> load() {
    std::string bytes;
    const auto s = db_->Get({}, kClusterKey, &bytes);
    if (s.IsNotFound()) return CoordinatorState{};
    if (!s.ok()) return store_error("reading the cluster record", s);
    auto stored = parse<proto::StoredCluster>(bytes, kClusterKey);
    if (!stored) return stored.error();
    auto state = decode_cluster(*stored);
    if (!state) return state;
    if (auto status = load_jobs(&*state); !status) return status.error();
    return state;
  }

  // The generation that a coordinator has seen on this store, from a file beside the database.
  Result<uint64_t> seen_generation() {
    const std::string path = directory_ + "/" + kGenerationFile;
    std::string text;
    const auto s = rocksdb::ReadFileToString(env_, path, &text);
    if (s.IsNotFound() || s.IsPathNotFound()) return uint64_t{0};
    if (!s.ok()) return store_error("reading " + path, s);
    uint64_t generation = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), generation);
    if (error != std::errc{} || end == text.data() + text.size() || *end != '\n') {
      return corrupt_error(path + " does not hold a number and a newline");
    }
    return generation;
  }

  Status note_generation(uint64_t generation) {
    const std::string path = directory_ + "/" + kGenerationFile;
    const std::string fresh = path + ".new";
    auto s = rocksdb::WriteStringToFile(env_, std::to_string(generation) + "\n", fresh, true);
    if (s.ok()) s = env_->RenameFile(fresh, path);
    std::unique_ptr<rocksdb::Directory> directory;
    if (s.ok()) s = env_->NewDirectory(directory_, &directory);
    if (s.ok()) s = directory->Fsync();
    return s.ok() ? Status{} : Status{store_error("writing " + path, s)};
  }

  Status write(const CoordinatorState& before, const CoordinatorState& after) {
    rocksdb::WriteBatch batch;
    batch.Put(kClusterKey, encode_cluster(after).SerializeAsString());
    for (const auto& [id, entry] : after.jobs) {
      const auto old = before.jobs.find(id);
      const bool known = old != before.jobs.end();
      if (!known || old->second.job != entry.job) {
        batch.Put(key_of(kJobPrefix, id), encode_job(*entry.job).SerializeAsString());
      }
      if (!known || old->second.grants != entry.grants) {
        batch.Put(key_of(kGrantsPrefix, id), encode_grants(id, *entry.grants).SerializeAsString());
      }
    }
    for (const auto& [id, entry] : before.jobs) {
      if (after.jobs.contains(id)) continue;
      batch.Delete(key_of(kJobPrefix, id));
      batch.Delete(key_of(kGrantsPrefix, id));
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    const auto s = db_->Write(options, &batch);
    return s.ok() ? Status{} : Status{store_error("writing the coordinator metadata", s)};
  }

 private:
  Status load_jobs(CoordinatorState* state) {
    std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
    for (at->Seek(kJobPrefix); at->Valid() && at->key().starts_with(kJobPrefix); at->Next()) {
      auto stored = parse<proto::StoredJob>(at->value(), at->key().ToString());
      if (!stored) return stored.error();
      auto job = decode_job(std::move(*stored));
      if (!job) return job.error();
      auto grants = load_grants(*job);
      if (!grants) return grants.error();
      const JobId id = job->id;
      state->jobs[id] = {std::make_shared<const JobRecord>(std::move(*job)),
                         std::make_shared<const JobGrants>(std::move(*grants))};
    }
    if (!at->status().ok()) return store_error("reading the jobs", at->status());
    return {};
  }

  Result<JobGrants> load_grants(const JobRecord& job) {
    const std::string key = key_of(kGrantsPrefix, job.id);
    std::string bytes;
    if (const auto s = db_->Get({}, key, &bytes); !s.ok()) {
      return s.IsNotFound()
                 ? corrupt_error("job " + std::to_string(job.id.value) + " has no grants")
                 : store_error("reading " + key, s);
    }
    auto stored = parse<proto::StoredGrants>(bytes, key);
    if (!stored) return stored.error();
    return decode_grants(*stored);
  }

  std::string directory_;
  std::shared_ptr<MemoryDisk> disk_;  // outlives db_
  rocksdb::Env* env_;
  std::unique_ptr<rocksdb::DB> db_;
};

MetadataStore::MetadataStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetadataStore::~MetadataStore() = default;

Result<std::shared_ptr<MetadataStore>> MetadataStore::open_impl(std::unique_ptr<Impl> impl) {
  if (auto status = impl->open(); !status) return status.error();
  return std::shared_ptr<MetadataStore>(new MetadataStore(std::move(impl)));
}

Result<std::shared_ptr<MetadataStore>> MetadataStore::open(const std::string& directory) {
  return open_impl(std::make_unique<Impl>(directory, nullptr));
}

std::shared_ptr<MemoryDisk> MetadataStore::make_memory_disk() {
  return std::make_shared<MemoryDisk>();
}

Result<std::shared_ptr<MetadataStore>> MetadataStore::open_in_memory(
    std::shared_ptr<MemoryDisk> disk) {
  return open_impl(std::make_unique<Impl>(kMemoryDirectory, std::move(disk)));
}

Result<CoordinatorState> MetadataStore::start_generation() {
  auto state = impl_->load();
  if (!state) return state;
  auto seen = impl_->seen_generation();
  if (!seen) return seen.error();
  if (state->generation < *seen) {
    return corrupt_error("the coordinator metadata is of generation " +
                         std::to_string(state->generation) + ", but generation " +
                         std::to_string(*seen) +
                         " was seen here: the database has lost data; restore the directory from a "
                         "copy, or remove it to begin with an empty cluster");
  }
  const CoordinatorState before = *state;
  ++state->generation;
  if (auto status = impl_->write(before, *state); !status) return status.error();
  if (auto status = impl_->note_generation(state->generation); !status) return status.error();
  return state;
}

Status MetadataStore::commit(const CoordinatorState& before, const CoordinatorState& after) {
  return impl_->write(before, after);
}

}  // namespace tidemill
