#include "shared/source/file_identity.h"

#include <map>
#include <utility>

#include "shared/base/hash.h"
#include "shared/plan/limits.h"
#include "shared/source/file_head.h"

namespace tidemill {

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
}

Result<FileHead> read_head(FileText* text) {
  Status refreshed = text->refresh();
  if (!refreshed.ok()) return refreshed.error();
  FileHead head;
  head.text.resize(limits::kFileHeadBytes);
  size_t filled = 0;
  while (filled < head.text.size()) {
    const auto got = text->read(filled, head.text.data() + filled, head.text.size() - filled);
    if (!got.ok() && got.error().code() != ErrorCode::kUser) return got.error();
    head.cut_off = !got.ok() && !text->end_known();
    if (!got.ok() && !head.cut_off) return got.error();
    if (!got.ok() || *got == 0) break;
    filled += *got;
  }
  head.text.resize(filled);
  return head;
}

bool begins_as(const std::string& head, const proto::FileIdentity& identity) {
  return head.size() >= identity.head_bytes() &&
         hash_bytes(std::string_view(head).substr(0, identity.head_bytes()), 0) ==
             identity.head_hash();
}

void set_head(const std::string& head, proto::FileIdentity* identity) {
  identity->set_head_bytes(static_cast<uint32_t>(head.size()));
  identity->set_head_hash(hash_bytes(head, 0));
}

proto::FileIdentity identity_of(const FileStatus& status, const std::string& head) {
  proto::FileIdentity identity;
  identity.set_device(status.device);
  identity.set_inode(status.inode);
  identity.set_born_us(status.born_us);
  set_head(head, &identity);
  return identity;
}

bool same_inode(const proto::FileIdentity& identity, const std::string& identity_path,
                const FileStatus& status, const std::string& path) {
  if (identity.inode() != status.inode) return false;
  if (identity.born_us() != 0 && status.born_us != 0 && identity.born_us() != status.born_us) {
    return false;
  }
  return identity.device() == status.device || directory_of(identity_path) == directory_of(path);
}

bool holds_anything(const std::string& head, proto::FilesInput::Format format) {
  if (head.size() == limits::kFileHeadBytes) return true;
  if (format != proto::FilesInput::CSV) return !head.empty();
  const size_t newline = head.find('\n');
  return newline != std::string::npos && newline + 1 < head.size();
}

bool tells_apart(const std::string& head, proto::FilesInput::Format format) {
  const size_t header_end = format == proto::FilesInput::CSV ? head.find('\n') : 0;
  if (header_end == std::string::npos) return false;
  return head.size() == limits::kFileHeadBytes ||
         head.find('\n', header_end + 1) != std::string::npos;
}

Result<proto::FileIdentity> identify_file(const std::string& path) {
  auto file = OpenFile::open(path);
  if (!file.ok()) return file.error();
  const auto status = file->status();
  if (!status.ok()) return status.error();
  const auto text = make_file_text(std::move(*file));
  const auto head = read_head(text.get());
  if (!head.ok()) return head.error();
  if (head->cut_off && head->text.empty()) {
    return user_error(shown_path(path) + ": the gzip file is empty or cut off; complete it");
  }
  return identity_of(*status, head->text);
}

Status bind_files_source(proto::Source* source) {
  if (!source->has_files()) return {};
  proto::FilesInput* files = source->mutable_files();
  std::map<std::pair<uint64_t, uint64_t>, std::string> seen;
  files->clear_identities();
  for (const std::string& path : files->paths()) {
    auto identity = identify_file(path);
    if (!identity.ok()) return identity.error();
    const auto [it, added] = seen.try_emplace({identity->device(), identity->inode()}, path);
    if (!added && files->follow()) {
      return user_error(shown_path(it->second) + " and " + shown_path(path) +
                        " are the same file; write patterns that match one of its names");
    }
    *files->add_identities() = std::move(*identity);
  }
  return discover_files(source);
}

}  // namespace tidemill
