#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "shared/base/hash.h"
#include "shared/base/utf8.h"
#include "shared/plan/file_pattern.h"
#include "shared/plan/limits.h"
#include "shared/source/file_head.h"
#include "shared/source/file_identity.h"

namespace tidemill {
namespace {

class Discovery {
 public:
  explicit Discovery(proto::Source* source) : files_(*source->mutable_files()) {
    for (int i = 0; i < files_.identities_size(); ++i) remember(i);
  }

  Status run();

 private:
  void remember(int index);
  // Adds the file at `path`, or recognises it.
  Status look_at(const std::string& path);
  // The file of `status` is the one of this index; -1: of none, so far as the file system says.
  int index_of(const FileStatus& status, const std::string& path) const;
  bool is_certain(int index, const FileStatus& status) const;
  bool is_settled(const FileStatus& status, const std::string& path) const;
  void lengthen(int index, const std::string& head);
  bool is_compressed_known(const std::string& head) const;
  Status add(const std::string& path, const FileStatus& status, const std::string& head);

  proto::FilesInput& files_;
  std::unordered_multimap<uint64_t, int> by_inode_;
  std::map<uint32_t, std::set<uint64_t>> heads_;  // by length
};

void Discovery::remember(int index) {
  const proto::FileIdentity& identity = files_.identities(index);
  by_inode_.emplace(identity.inode(), index);
  if (identity.head_bytes() > 0) heads_[identity.head_bytes()].insert(identity.head_hash());
}

Status Discovery::run() {
  std::set<std::string> paths;
  for (const std::string& pattern : files_.patterns()) {
    const auto found = matching_files(pattern);
    if (!found.ok()) return found.error();
    paths.insert(found->begin(), found->end());
  }
  Status first_failure;
  for (const std::string& path : paths) {
    Status looked = look_at(path);
    if (!looked.ok() && first_failure.ok()) first_failure = looked;
  }
  return first_failure;
}

int Discovery::index_of(const FileStatus& status, const std::string& path) const {
  const auto [begin, end] = by_inode_.equal_range(status.inode);
  for (auto it = begin; it != end; ++it) {
    if (same_inode(files_.identities(it->second), files_.paths(it->second), status, path)) {
      return it->second;
    }
  }
  return -1;
}

Status Discovery::look_at(const std::string& path) {
  const auto listed = status_at(path);
  if (!listed.ok()) return listed.error();
  if (!listed->has_value()) return {};  // gone again
  if (is_settled(**listed, path)) return {};
  auto file = OpenFile::open(path);
  if (!file.ok()) {
    const auto still = status_at(path);
    return still.ok() && !still->has_value() ? Status() : file.error();
  }
  const auto status = file->status();
  if (!status.ok()) return status.error();
  const auto text = make_file_text(std::move(*file));
  const auto head = read_head(text.get());
  if (!head.ok()) return head.error();
  const int known = index_of(*status, path);
  if (known >= 0 && begins_as(head->text, files_.identities(known))) {
    lengthen(known, head->text);
    return {};
  }
  // One that was rewritten in place is known all the same: its reader says what happened.
  if (known >= 0 && is_certain(known, *status)) return {};
  if (head->cut_off || !holds_anything(head->text, files_.format())) return {};
  if (is_compressed(path) && is_compressed_known(head->text)) return {};
  return add(path, *status, head->text);
}

// Whether a file that has the inode of this one cannot be a later use of it.
bool Discovery::is_certain(int index, const FileStatus& status) const {
  return status.born_us != 0 && files_.identities(index).born_us() != 0;
}

// Known, and its text need not be looked at: that is what most files are, most of the time.
bool Discovery::is_settled(const FileStatus& status, const std::string& path) const {
  const int known = index_of(status, path);
  if (known < 0 || !is_certain(known, status)) return false;
  const uint32_t head_bytes = files_.identities(known).head_bytes();
  return head_bytes == limits::kFileHeadBytes || is_compressed(path) || status.size <= head_bytes;
}

void Discovery::lengthen(int index, const std::string& head) {
  proto::FileIdentity* identity = files_.mutable_identities(index);
  if (head.size() <= identity->head_bytes()) return;
  set_head(head, identity);
  heads_[identity->head_bytes()].insert(identity->head_hash());
}

// Its text begins with the head of a known file, and no other file's text is likely to.
bool Discovery::is_compressed_known(const std::string& head) const {
  for (const auto& [bytes, hashes] : heads_) {
    if (bytes > head.size()) break;
    const std::string begin = head.substr(0, bytes);
    if (hashes.contains(hash_bytes(begin, 0)) && tells_apart(begin, files_.format())) return true;
  }
  return false;
}

Status Discovery::add(const std::string& path, const FileStatus& status, const std::string& head) {
  // A file that was put back, by a copy, to where it was is no other one.
  for (int i = 0; i < files_.paths_size(); ++i) {
    if (files_.paths(i) == path && begins_as(head, files_.identities(i)) &&
        tells_apart(head.substr(0, files_.identities(i).head_bytes()), files_.format())) {
      return {};
    }
  }
  if (!is_valid_utf8(path)) {
    return user_error(shown_path(path) + " is not read: its name is not valid UTF-8; rename it");
  }
  if (files_.paths_size() >= static_cast<int>(limits::kSourcePartitions)) {
    return user_error(path + " is not read: the source has " +
                      std::to_string(limits::kSourcePartitions) +
                      " files already, those that are gone included; submit the job anew");
  }
  files_.add_paths(path);
  *files_.add_identities() = identity_of(status, head);
  remember(files_.paths_size() - 1);
  return {};
}

}  // namespace

Status discover_files(proto::Source* source) {
  if (!source->has_files() || !source->files().follow()) return {};
  if (source->files().identities_size() != source->files().paths_size()) {
    return user_error("the files are not bound");
  }
  return Discovery(source).run();
}

}  // namespace tidemill
