#include "serving/wiring.h"

#include "serving/read_gateway.h"
#include "serving/store_shard.h"
#include "shared/wire/actors.h"

namespace tidemill {

void spawn_store(ProcessHost& process, MemberConfig member, ReadLimits limits) {
  member.role = proto::STORE;
  member.shards = process.shards();
  const uint16_t shards = process.shards();
  std::vector<ActorId> followers{kReadGateway};
  for (uint16_t shard = 0; shard < shards; ++shard) {
    const ActorId id{shard, kStoreShardIndex};
    followers.push_back(id);
    process.spawn(id, [](Runtime& r) { return std::make_unique<StoreShard>(r); });
  }
  process.spawn(kReadGateway, [shards, limits](Runtime& r) {
    return std::make_unique<ReadGateway>(r, shards, limits);
  });
  process.spawn(kAgent, [member, followers](Runtime& r) {
    return std::make_unique<MemberAgent>(r, member, followers);
  });
}

}  // namespace tidemill
