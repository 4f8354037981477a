// The actors of a worker process, for either runtime.
#pragma once

#include <memory>
#include <string>

#include "shared/dead_letter/dead_letter.h"
#include "shared/member/member_agent.h"
#include "shared/member/memory_watch.h"
#include "shared/runtime/host.h"
#include "shared/snapshot/snapshot_storage.h"
#include "worker/config.h"

namespace tidemill {

struct WorkerResources {
  std::shared_ptr<DeadLetterStorage> dead_letters;  // where all workers put them
  std::shared_ptr<Disk> disk;
  std::string data_dir;                        // on `disk`, this process's alone
  std::shared_ptr<SnapshotStorage> snapshots;  // that all workers and the coordinator share
  ProcessMemory memory = {};
};

// `member.role` and `member.shards` are set here.
void spawn_worker(ProcessHost& process, MemberConfig member, const WorkerConfig& config,
                  const WorkerResources& resources);

}  // namespace tidemill
