// Log files: the row blocks of an increment in the order in which they came, behind the head of the
// state after it. Cheap to write, as nothing is sorted; read whole. docs/formats/snapshot.md:
//
//   8 bytes "TMLOG001" | u32 length, StateHead | zeros to a multiple of 8
//   then to the end of the file: u64 length | row blocks, one after another
//   (docs/formats/row_block.md)
#pragma once

#include <rocksdb/env.h>

#include <string>
#include <vector>

#include "proto/state.pb.h"
#include "shared/base/result.h"
#include "shared/state/partition_disk.h"
#include "shared/state/sst_file.h"

namespace tidemill {

// All changes are kRows. Syncs and closes the file.
Result<WrittenFile> write_log_file(rocksdb::Env* env, const std::string& path,
                                   const StateHead& head, const std::vector<StateChange>& changes);

struct LogFile {
  StateHead head;
  std::vector<StateChange> changes;  // share the bytes of the file
};

// kCorrupt: it is not what was written.
Result<LogFile> read_log_file(const Disk& disk, const std::string& path,
                              const proto::StateFile& file);

}  // namespace tidemill
