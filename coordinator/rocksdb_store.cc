#include "coordinator/rocksdb_store.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "shared/obs/log.h"
#include "shared/state/env_files.h"

namespace tidemill {
namespace {

constexpr char kGenerationFile[] = "GENERATION";

Error store_error(const std::string& doing, const rocksdb::Status& status) {
  const std::string message = doing + ": " + status.ToString();
  return status.IsCorruption() ? corrupt_error(message) : fatal_error(message);
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_manifest(const std::string& name) {
  constexpr std::string_view kBegin = "MANIFEST-";
  return name.starts_with(kBegin) && name.size() > kBegin.size() &&
         name.find_first_not_of("0123456789", kBegin.size()) == std::string::npos;
}

// CURRENT is the name of RocksDB's manifest and a newline. Without it RocksDB would make an empty
// database, and with another one none at all, though all data are there: it is written anew if just
// one manifest can be meant.
Status mend_current(rocksdb::Env* env, const std::string& db) {
  std::vector<std::string> manifests;
  std::vector<std::string> names;
  if (const auto s = env->GetChildren(db, &names); !s.ok()) {
    return is_missing(s) ? Status{} : Status{store_error("listing " + db, s)};
  }
  for (const std::string& name : names) {
    if (is_manifest(name)) manifests.push_back(name);
  }
  std::string current;
  const auto read = rocksdb::ReadFileToString(env, db + "/CURRENT", &current);
  if (!read.ok() && !is_missing(read)) return store_error("reading " + db + "/CURRENT", read);
  const auto is_current = [&](const std::string& name) { return current == name + "\n"; };
  if (manifests.empty() || std::any_of(manifests.begin(), manifests.end(), is_current)) return {};
  if (manifests.size() > 1) {
    return corrupt_error(db + "/CURRENT should be the name of one of the " +
                         std::to_string(manifests.size()) +
                         " manifests there and a newline; restore the coordinator metadata from a "
                         "copy");
  }
  log_event(LogLevel::kWarning, "metadata_current_mended",
            {{"directory", db}, {"manifest", manifests[0]}});
  const std::string text = manifests[0] + "\n";
  return replace_file(env, db, "CURRENT",
                      {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

class RocksDbStore : public KeyValueStore {
 public:
  RocksDbStore(std::shared_ptr<Disk> disk, std::string directory)
      : disk_(std::move(disk)), env_(disk_->env()), directory_(std::move(directory)) {}

  Status open() {
    if (Status made = create_directories(env_, directory_); !made) return made;
    // Also where it was there: whoever made it may have crashed before its name was durable.
    if (Status synced = sync_directory(env_, parent_of(directory_)); !synced) return synced;
    if (Status mended = mend_current(env_, directory_ + "/db"); !mended) return mended;
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

  Result<KeyValues> load() override {
    KeyValues out;
    std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
      out.emplace_hint(out.end(), at->key().ToString(), at->value().ToString());
    }
    if (!at->status().ok()) return store_error("reading the coordinator metadata", at->status());
    return out;
  }

  Status commit(const KeyValueBatch& changes) override {
    rocksdb::WriteBatch batch;
    for (const auto& [key, value] : changes) {
      if (value) {
        batch.Put(key, *value);
      } else {
        batch.Delete(key);
      }
    }
    rocksdb::WriteOptions options;
    options.sync = true;
    const auto s = db_->Write(options, &batch);
    return s.ok() ? Status{} : Status{store_error("writing the coordinator metadata", s)};
  }

  Result<uint64_t> noted_generation() override {
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

  Status note_generation(uint64_t generation) override {
    const std::string path = directory_ + "/" + kGenerationFile;
    const std::string fresh = path + ".new";
    auto s = rocksdb::WriteStringToFile(env_, std::to_string(generation) + "\n", fresh, true);
    if (s.ok()) s = env_->RenameFile(fresh, path);
    std::unique_ptr<rocksdb::Directory> directory;
    if (s.ok()) s = env_->NewDirectory(directory_, &directory);
    if (s.ok()) s = directory->Fsync();
    return s.ok() ? Status{} : Status{store_error("writing " + path, s)};
  }

 private:
  std::shared_ptr<Disk> disk_;  // outlives db_
  rocksdb::Env* env_;
  std::string directory_;
  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

Result<std::unique_ptr<KeyValueStore>> open_rocksdb_store(std::shared_ptr<Disk> disk,
                                                          const std::string& directory) {
  auto store = std::make_unique<RocksDbStore>(std::move(disk), directory);
  if (auto status = store->open(); !status) return status.error();
  return std::unique_ptr<KeyValueStore>(std::move(store));
}

}  // namespace tidemill
