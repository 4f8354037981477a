#include "serving/wiring.h"

#include "serving/read_gateway.h"
#include "serving/store_shard.h"
#include "shared/wire/actors.h"

namespace tidemill {

void spawn_store(ProcessHost& process, MemberConfig member, const StoreConfig& config,
                 const StoreResources& resources) {
  member.role = proto::STORE;
  member.shards = process.shards();
  const uint16_t shards = process.shards();
  std::vector<ActorId> followers{kReadGateway};
  for (uint16_t shard = 0; shard < shards; ++shard) {
    const ActorId id{shard, kStoreShardIndex};
    followers.push_back(id);
    process.spawn(id, [shards, config, resources](Runtime& r) {
      return std::make_unique<StoreShard>(r, shards, config, resources);
    });
  }
  process.spawn(kReadGateway, [shards, config](Runtime& r) {
    return std::make_unique<ReadGateway>(r, shards, config.limits);
  });
  process.spawn(kAgent, [member, followers](Runtime& r) {
    return std::make_unique<MemberAgent>(r, member, followers);
  });
}

}  // namespace tidemill
