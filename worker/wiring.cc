#include "worker/wiring.h"

#include "shared/wire/actors.h"
#include "worker/memory_bounds.h"
#include "worker/partition_host.h"
#include "worker/reader_host.h"

namespace tidemill {

void spawn_worker(ProcessHost& process, MemberConfig member, const WorkerConfig& given,
                  const WorkerResources& resources) {
  const WorkerConfig config = within_budget(given, process.shards());
  const uint16_t shards = process.shards();
  member.role = proto::WORKER;
  member.shards = process.shards();
  std::vector<ActorId> followers;
  for (uint16_t shard = 0; shard < process.shards(); ++shard) {
    const ActorId partitions{shard, kPartitionHostIndex};
    const ActorId readers{shard, kReaderHostIndex};
    followers.push_back(partitions);
    followers.push_back(readers);
    process.spawn(partitions, [config, resources, shards](Runtime& r) {
      return std::make_unique<PartitionHost>(r, shards, config, resources);
    });
    process.spawn(readers, [config, dead_letters = resources.dead_letters](Runtime& r) {
      return std::make_unique<ReaderHost>(r, config, dead_letters);
    });
  }
  process.spawn(kAgent, [member, followers](Runtime& r) {
    return std::make_unique<MemberAgent>(r, member, followers);
  });
}

}  // namespace tidemill
