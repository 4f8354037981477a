#include "shared/state/log_file.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <memory>
#include <utility>

#include "shared/base/mutation.h"
#include "shared/state/direct_files.h"
#include "shared/state/env_files.h"

namespace tidemill {
namespace {

constexpr std::string_view kMagic = "TMLOG001";
constexpr size_t kAlignment = 8;  // of row blocks
constexpr size_t kPieceBytes = 256u << 10;

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Hashes what it writes, and writes in large pieces.
class LogOut {
 public:
  explicit LogOut(std::unique_ptr<rocksdb::WritableFile> file)
      : file_(std::move(file)), hash_(XXH3_createState(), XXH3_freeState) {
    XXH3_64bits_reset(hash_.get());
  }

  rocksdb::Status put(std::string_view bytes) {
    if (held_.size() + bytes.size() > kPieceBytes) {
      if (auto s = write(held_); !s.ok()) return s;
      held_.clear();
      if (bytes.size() > kPieceBytes) return write(bytes);
    }
    held_.append(bytes);
    return rocksdb::Status::OK();
  }
  rocksdb::Status finish() {
    auto s = write(held_);
    if (s.ok() && !mutated(Mutation::kSkipFsync)) s = file_->Sync();
    if (s.ok()) s = file_->Close();
    written_.checksum = XXH3_64bits_digest(hash_.get());
    return s;
  }
  const WrittenFile& written() const { return written_; }

 private:
  rocksdb::Status write(std::string_view bytes) {
    XXH3_64bits_update(hash_.get(), bytes.data(), bytes.size());
    written_.bytes += bytes.size();
    return file_->Append({bytes.data(), bytes.size()});
  }

  std::unique_ptr<rocksdb::WritableFile> file_;
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash_;
  std::string held_;
  WrittenFile written_;
};

ByteWriter front_of(const StateHead& head) {
  ByteWriter front;
  front.put_bytes({reinterpret_cast<const uint8_t*>(kMagic.data()), kMagic.size()});
  front.put_string(to_proto(head).SerializeAsString());
  front.align(kAlignment);
  return front;
}

}  // namespace

Result<WrittenFile> write_log_file(rocksdb::Env* env, const std::string& path,
                                   const StateHead& head, const std::vector<StateChange>& changes) {
  std::unique_ptr<rocksdb::WritableFile> file;
  uint64_t bytes = 0;
  for (const StateChange& change : changes) bytes += change.bytes.size();
  auto s = env->NewWritableFile(path, &file, streaming_options(bytes));
  if (!s.ok()) return disk_error("writing " + path, s);
  LogOut out(std::move(file));
  s = out.put(text_of(front_of(head).bytes()));
  for (const StateChange& change : changes) {
    ASSERT(change.kind == StateChange::Kind::kRows);
    const uint64_t length = change.bytes.size();
    if (s.ok()) s = out.put({reinterpret_cast<const char*>(&length), sizeof length});
    if (s.ok()) s = out.put(change.bytes.view());
  }
  if (s.ok()) s = out.finish();
  if (!s.ok()) return disk_error("writing " + path, s);
  return out.written();
}

Result<LogFile> read_log_file(const Disk& disk, const std::string& path,
                              const proto::StateFile& file) {
  auto read = read_whole_file(disk.env(), path, file.bytes());
  if (!read) return read.error();
  const Buffer bytes(std::move(*read));
  if (bytes.size() != file.bytes() || (XXH3_64bits(bytes.data(), bytes.size()) != file.checksum() &&
                                       !mutated(Mutation::kTrustDamagedManifest))) {
    return corrupt_error("the checksum of " + path + " does not match");
  }
  ByteReader in(bytes.bytes());
  const bool known = text_of(in.take(kMagic.size())) == kMagic;
  const std::string_view head = in.get_string();
  in.align(kAlignment);
  LogFile out;
  proto::StateHead stored;
  if (!known || !in.ok() || !stored.ParseFromArray(head.data(), static_cast<int>(head.size()))) {
    return corrupt_error(path + " is no log of a state");
  }
  out.head = from_proto(stored);
  while (in.remaining() > 0) {
    const auto length = in.get<uint64_t>();
    const size_t begin = in.position();
    if (!in.ok() || length > in.remaining() || length % kAlignment != 0) {
      return corrupt_error(path + ": its rows do not fit");
    }
    in.take(length);
    out.changes.push_back({StateChange::Kind::kRows, bytes.slice(begin, length)});
  }
  return out;
}

}  // namespace tidemill
