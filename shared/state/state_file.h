// A file of a state, whichever form it has.
#pragma once

#include <string>

#include "proto/state.pb.h"
#include "shared/base/result.h"
#include "shared/state/disk.h"
#include "shared/state/state_head.h"

namespace tidemill {

// The head of the state after the file, which is at `path`; `whole`: all records are read too.
// kCorrupt: it is no such file.
Result<StateHead> check_state_file(const Disk& disk, const std::string& path,
                                   const proto::StateFile& file, bool whole);

}  // namespace tidemill
