#include "shared/state/state_file.h"

#include "shared/state/log_file.h"
#include "shared/state/manifest.h"
#include "shared/state/sst_file.h"

namespace tidemill {

Result<StateHead> check_state_file(const Disk& disk, const std::string& path,
                                   const proto::StateFile& file, bool whole) {
  if (is_log_file_name(file.name())) {
    auto log = read_log_file(disk, path, file);
    if (!log) return log.error();
    return std::move(log->head);
  }
  auto sst = SstFileIn::open(disk.env(), path);
  if (!sst) return sst.error();
  proto::StateHead head;
  if (!head.ParseFromString((*sst)->head())) return corrupt_error("its head does not parse");
  while (whole && (*sst)->valid()) (*sst)->next();
  if (Status read = (*sst)->status(); !read) return read.error();
  return from_proto(head);
}

}  // namespace tidemill
