// Which file it is: names change under a reader (rotation renames and compresses), inodes are used
// again, headers are alike. A file is the one of a FileIdentity if device, inode and birth are its
// own and its text begins as it did; a compressed one if its decompressed text begins so.
//
// All of it blocks. Failure: kUser, unless said otherwise; messages name the path, not the source.
#pragma once

#include <string>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/source/file_text.h"

namespace tidemill {

// Of the file at `path`, whose text is hashed up to limits::kFileHeadBytes.
Result<proto::FileIdentity> identify_file(const std::string& path);

// Sets the identities of all the files of a source, as they are now; anything but files is left
// alone. A file that is missing, unreadable or damaged at its head is an error, and so is one that
// is there twice in a source that follows its files. For such a source discover_files() follows:
// compressed files that match are taken as they are later.
Status bind_files_source(proto::Source* source);

// For a source that follows its files: appends those that match its patterns and are not known,
// in order of path, once they hold anything (of CSV: behind the header's line). Files that were
// renamed, and those that were compressed meanwhile, are recognised. One whose name is not UTF-8,
// as a plan's texts are, is left out, which is an error. While a file is shorter than
// what is hashed, its identity grows with it. Whether anything changed shows in *source, also when
// an error is returned: what is wrong with one file keeps no other from being found.
//
// Costs a stat for each file that matches; heads are read of those that are new, compressed or
// short.
Status discover_files(proto::Source* source);

// A file of a source, opened. `moved`: it is not at its path any more.
struct FoundFile {
  std::unique_ptr<FileText> text;
  bool moved = false;
};

// Opens the file `index` of the source, wherever it is: at its path; else, under another name,
// beside it or where the patterns look; else, compressed since, there. One that is not bound is
// what is at its path. kSourceChanged if it is none of these.
Result<FoundFile> find_file(const proto::FilesInput& files, uint32_t index);

}  // namespace tidemill
