#include "shared/state/sst_file.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <utility>

#include "shared/base/assert.h"
#include "shared/base/mutation.h"
#include "shared/state/env_files.h"
#include "shared/state/sst_identity.h"
#include "shared/state/state_value.h"

namespace tidemill {
namespace {

constexpr size_t kHeldBytes = 64u << 10;  // properties, metaindex and footer are among the last
constexpr int kStepsBeforeSeek = 8;
constexpr double kBloomBitsPerKey = 10;
constexpr size_t kBlockBytes = 16u << 10;

// Values one behind the other: see state_value.h.
class PartsMergeOperator final : public rocksdb::MergeOperator {
 public:
  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    if (in.existing_value == nullptr && in.operand_list.size() == 1) {
      out->existing_operand = in.operand_list.front();
      return true;
    }
    out->new_value.clear();
    if (in.existing_value != nullptr) {
      out->new_value.assign(in.existing_value->data(), in.existing_value->size());
    }
    for (const rocksdb::Slice& operand : in.operand_list) {
      out->new_value.append(operand.data(), operand.size());
    }
    return true;
  }
  bool PartialMergeMulti(const rocksdb::Slice& /*key*/, const std::deque<rocksdb::Slice>& operands,
                         std::string* out, rocksdb::Logger* /*logger*/) const override {
    out->clear();
    for (const rocksdb::Slice& operand : operands) out->append(operand.data(), operand.size());
    return true;
  }
  const char* Name() const override { return "tidemill.parts"; }
};

// Hashes what goes through it and keeps the end back until it is known.
class HashingFile final : public rocksdb::WritableFileWrapper {
 public:
  HashingFile(std::unique_ptr<rocksdb::WritableFile> file, std::string identity,
              WrittenFile* written)
      : WritableFileWrapper(file.get()),
        file_(std::move(file)),
        identity_(std::move(identity)),
        written_(written),
        hash_(XXH3_createState()) {
    XXH3_64bits_reset(hash_);
  }
  ~HashingFile() override { XXH3_freeState(hash_); }

  rocksdb::Status Append(const rocksdb::Slice& data) override {
    ASSERT(!sealed_);
    size_t through = 0;  // of a hot key's value all but the end is not held
    if (data.size() > kHeldBytes) {
      through = data.size() - kHeldBytes;
      auto s = write(held_);
      held_.clear();
      if (s.ok()) s = write({data.data(), through});
      if (!s.ok()) return s;
    }
    held_.append(data.data() + through, data.size() - through);
    if (held_.size() < 2 * kHeldBytes) return rocksdb::Status::OK();
    const size_t bytes = held_.size() - kHeldBytes;
    const auto s = write({held_.data(), bytes});
    held_.erase(0, bytes);
    return s;
  }
  rocksdb::Status Append(const rocksdb::Slice& data,
                         const rocksdb::DataVerificationInfo& /*info*/) override {
    return Append(data);
  }
  rocksdb::Status Sync() override {
    const auto s = seal();
    return !s.ok() || mutated(Mutation::kSkipFsync) ? s : file_->Sync();
  }
  rocksdb::Status Fsync() override { return Sync(); }
  rocksdb::Status Close() override {
    const auto s = seal();
    const auto closed = file_->Close();
    return s.ok() ? closed : s;
  }
  uint64_t GetFileSize() override { return written_->bytes + held_.size(); }

 private:
  rocksdb::Status seal() {
    if (sealed_) return rocksdb::Status::OK();
    sealed_ = true;
    replace_session_identity(written_->bytes, identity_, &held_);
    const auto s = write(held_);
    held_.clear();
    written_->checksum = XXH3_64bits_digest(hash_);
    return s;
  }
  rocksdb::Status write(std::string_view bytes) {
    XXH3_64bits_update(hash_, bytes.data(), bytes.size());
    written_->bytes += bytes.size();
    return file_->Append({bytes.data(), bytes.size()});
  }

  std::unique_ptr<rocksdb::WritableFile> file_;
  std::string identity_;
  WrittenFile* written_;
  XXH3_state_t* hash_;
  std::string held_;
  bool sealed_ = false;
};

rocksdb::BlockBasedTableOptions table_options() {
  rocksdb::BlockBasedTableOptions table;
  table.no_block_cache = true;  // the operating system caches files
  table.block_size = kBlockBytes;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  // Iterators ask filters of prefixes only: the whole key is one.
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.whole_key_filtering = false;
  return table;
}

// But for the table factory.
rocksdb::Options common_options() {
  rocksdb::Options options;
  options.prefix_extractor.reset(rocksdb::NewNoopTransform());
  options.merge_operator = std::make_shared<PartsMergeOperator>();
  options.compression = rocksdb::kNoCompression;
  options.bottommost_compression = rocksdb::kNoCompression;
  options.db_host_id = "";
  options.table_factory = nullptr;
  return options;
}

}  // namespace

class SstFileOut::HashingEnv final : public rocksdb::EnvWrapper {
 public:
  HashingEnv(rocksdb::Env* env, std::string_view identity)
      : EnvWrapper(env), identity_(session_identity(identity)) {}

  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    std::unique_ptr<rocksdb::WritableFile> inner;
    const auto s = target()->NewWritableFile(path, &inner, options);
    if (s.ok()) *file = std::make_unique<HashingFile>(std::move(inner), identity_, &written_);
    return s;
  }
  const WrittenFile& written() const { return written_; }

 private:
  std::string identity_;
  WrittenFile written_;
};

rocksdb::Options state_options(rocksdb::Env* env) {
  // Options that are made, and not copied, make a block cache, which costs more than all the rest.
  static const rocksdb::BlockBasedTableOptions table = table_options();
  static const rocksdb::Options common = common_options();
  rocksdb::Options options = common;
  options.env = env;
  // One for each file: it reads a file as it has learnt from those before.
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

SstFileOut::SstFileOut(rocksdb::Env* env, std::string path, std::string_view identity)
    : path_(std::move(path)), env_(std::make_unique<HashingEnv>(env, identity)) {}
SstFileOut::~SstFileOut() = default;

Status SstFileOut::open() {
  writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(),
                                                     state_options(env_.get()), nullptr, false);
  return to_status("writing " + path_, writer_->Open(path_));
}

Status SstFileOut::add(std::string_view key, std::string_view value, bool replaces) {
  const rocksdb::Slice k(key.data(), key.size());
  const rocksdb::Slice v(value.data(), value.size());
  const auto s = replaces ? writer_->Put(k, v) : writer_->Merge(k, v);
  return s.ok() ? Status{} : Status{disk_error("writing " + path_, s)};
}

Result<WrittenFile> SstFileOut::finish() {
  if (auto s = writer_->Finish(); !s.ok()) return disk_error("writing " + path_, s);
  return env_->written();
}

SstFileIn::SstFileIn(rocksdb::Env* env, std::string path)
    : path_(std::move(path)), reader_(state_options(env)) {}

Result<std::unique_ptr<SstFileIn>> SstFileIn::open(rocksdb::Env* env, const std::string& path) {
  std::unique_ptr<SstFileIn> file(new SstFileIn(env, path));
  if (auto s = file->reader_.Open(path); !s.ok()) return disk_error("reading " + path, s);
  rocksdb::ReadOptions options;
  options.verify_checksums = !mutated(Mutation::kTrustDamagedManifest);
  options.fill_cache = false;
  options.total_order_seek = true;
  file->at_.reset(file->reader_.NewIterator(options));
  file->at_->SeekToFirst();
  if (Status s = file->status(); !s) return s.error();
  if (!file->valid() || file->key() != kHeadKey) return corrupt_error(path + " has no head");
  file->head_ = file->value();
  file->next();
  return file;
}

Status SstFileIn::status() const { return to_status("reading " + path_, at_->status()); }

void SstFileIn::advance_to(std::string_view key) {
  for (int i = 0; i < kStepsBeforeSeek; ++i) {
    if (!valid() || this->key() >= key) return;
    next();
  }
  at_->Seek({key.data(), key.size()});
}

}  // namespace tidemill
