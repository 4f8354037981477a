// The start of a file's text, and what it tells. Part of file_identity.h's implementation.
#pragma once

#include <string>

#include "proto/plan.pb.h"
#include "shared/source/file_text.h"

namespace tidemill {

// limits::kFileHeadBytes of the text, or all of it.
struct FileHead {
  std::string text;
  bool cut_off = false;  // of a compressed file that is not complete yet, if it ever will be
};

Result<FileHead> read_head(FileText* text);

bool begins_as(const std::string& head, const proto::FileIdentity& identity);
void set_head(const std::string& head, proto::FileIdentity* identity);
proto::FileIdentity identity_of(const FileStatus& status, const std::string& head);

// Whether the file system says that `status`, of what is at `path`, is of the file that was at
// `identity_path`. Device numbers may change when a file system is mounted anew: in the same
// directory they do not count.
bool same_inode(const proto::FileIdentity& identity, const std::string& identity_path,
                const FileStatus& status, const std::string& path);

// Whether there is anything behind a CSV file's header, of which many files have the same.
bool holds_anything(const std::string& head, proto::FilesInput::Format format);

// Whether no other file of the source is likely to begin with `head`: there is a record in it.
bool tells_apart(const std::string& head, proto::FilesInput::Format format);

// "" for a path without a directory.
std::string directory_of(const std::string& path);

}  // namespace tidemill
