#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include "shared/plan/file_pattern.h"
#include "shared/source/file_head.h"
#include "shared/source/file_identity.h"

namespace tidemill {
namespace {

Error gone(const std::string& path, const std::string& what) {
  return source_changed_error(shown_path(path) + ": " + what +
                              "; put it back, or submit the job anew");
}

class FileSearch {
 public:
  FileSearch(const proto::FilesInput& files, uint32_t index)
      : files_(files),
        path_(files.paths(static_cast<int>(index))),
        identity_(files.identities(static_cast<int>(index))) {}

  Result<FoundFile> run();

 private:
  // Whether what is at the path is the file; if it is not, `found` is empty and `why` says so.
  Status try_path(FoundFile* found);
  Status try_others(FoundFile* found);
  // Opens a candidate if it begins as the file does; what has the inode of the file, or what is
  // told by its text alone.
  Result<std::unique_ptr<FileText>> open_if_same(const std::string& path, bool by_inode);
  // Whether a text that begins as the file does must be its text.
  bool is_told(const FileHead& head);
  Result<std::vector<std::string>> candidates() const;

  const proto::FilesInput& files_;
  const std::string& path_;
  const proto::FileIdentity& identity_;
  bool holds_nothing_ = false;  // the compressed file that was found
  std::string why_ = "the file is gone";
};

Result<FoundFile> FileSearch::run() {
  FoundFile found;
  Status tried = try_path(&found);
  if (!tried.ok()) return tried.error();
  if (!found.text) tried = try_others(&found);
  if (!tried.ok()) return tried.error();
  if (!found.text) return gone(path_, why_);
  return found;
}

Status FileSearch::try_path(FoundFile* found) {
  const auto listed = status_at(path_);
  if (!listed.ok()) return listed.error();
  if (!listed->has_value()) return {};
  auto file = OpenFile::open(path_);
  if (!file.ok()) return file.error();
  const auto status = file->status();
  if (!status.ok()) return status.error();
  auto text = make_file_text(std::move(*file));
  const auto head = read_head(text.get());
  if (!head.ok()) return head.error();
  const bool inode = same_inode(identity_, path_, *status, path_);
  if (!begins_as(head->text, identity_)) {
    why_ = inode ? "the file was written anew in place; rotate files by renaming them "
                   "(logrotate: without copytruncate)"
                 : "the file was replaced by another one, and is not beside it under another name";
    return {};
  }
  // A copy that was put back in its place is the file too, where none can begin like another.
  const std::string told = head->text.substr(0, identity_.head_bytes());
  if (inode || !files_.follow() || tells_apart(told, files_.format())) {
    found->text = std::move(text);
    return {};
  }
  why_ = "the file was replaced by another one, and is not beside it under another name";
  return {};
}

Status FileSearch::try_others(FoundFile* found) {
  const auto others = candidates();
  if (!others.ok()) return others.error();
  std::vector<std::string> compressed;
  std::unique_ptr<FileText> compressed_text;
  for (const std::string& path : *others) {
    if (path == path_) continue;
    if (is_compressed(path) && !is_compressed(path_)) {
      auto text = open_if_same(path, false);
      if (!text.ok()) return text.error();
      if (*text == nullptr) continue;
      compressed.push_back(path);
      compressed_text = std::move(*text);
      continue;
    }
    auto text = open_if_same(path, true);
    if (!text.ok()) return text.error();
    if (*text == nullptr) continue;
    *found = {std::move(*text), true};
    return {};
  }
  if (compressed.size() == 1 || holds_nothing_) {
    *found = {std::move(compressed_text), true};
  } else if (!compressed.empty()) {
    why_ = "the file is gone, and several begin as it did, such as " + shown_path(compressed[0]) +
           " and " + shown_path(compressed[1]);
  }
  return {};
}

Result<std::unique_ptr<FileText>> FileSearch::open_if_same(const std::string& path, bool by_inode) {
  if (by_inode) {  // nearly all candidates end here, so before anything is opened
    const auto listed = status_at(path);
    if (!listed.ok() || !listed->has_value() || !same_inode(identity_, path_, **listed, path)) {
      return std::unique_ptr<FileText>();
    }
  }
  auto file = OpenFile::open(path);
  if (!file.ok()) return std::unique_ptr<FileText>();  // of no concern, perhaps
  auto text = make_file_text(std::move(*file));
  const auto head = read_head(text.get());
  if (!head.ok() || !begins_as(head->text, identity_)) return std::unique_ptr<FileText>();
  if (by_inode || is_told(*head)) return text;
  return std::unique_ptr<FileText>();
}

// A file without a record is as good as any other of the same text, of which nothing is read: one
// with more in it is found as another file.
bool FileSearch::is_told(const FileHead& head) {
  const std::string begin = head.text.substr(0, identity_.head_bytes());
  if (tells_apart(begin, files_.format())) return true;
  holds_nothing_ = !head.cut_off && head.text == begin && !holds_anything(begin, files_.format());
  return holds_nothing_;
}

// What is in the file's directory, and what the patterns match. A directory that is missing is more
// likely not mounted than emptied.
Result<std::vector<std::string>> FileSearch::candidates() const {
  std::set<std::string> paths;
  const std::string directory = directory_of(path_);
  std::error_code failed;
  std::filesystem::directory_iterator entry(directory.empty() ? "." : directory, failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    paths.insert(entry->path().string());
  }
  if (failed) {
    return user_error(path_ + ": cannot look for it in its directory: " + failed.message());
  }
  for (const std::string& pattern : files_.patterns()) {
    const auto found = matching_files(pattern);
    if (!found.ok()) return found.error();
    paths.insert(found->begin(), found->end());
  }
  return std::vector<std::string>(paths.begin(), paths.end());
}

}  // namespace

Result<FoundFile> find_file(const proto::FilesInput& files, uint32_t index) {
  if (static_cast<int>(index) < files.identities_size()) return FileSearch(files, index).run();
  auto file = OpenFile::open(files.paths(static_cast<int>(index)));
  if (!file.ok()) return file.error();
  FoundFile found{make_file_text(std::move(*file)), false};
  Status refreshed = found.text->refresh();
  if (!refreshed.ok()) return refreshed.error();
  return found;
}

}  // namespace tidemill
