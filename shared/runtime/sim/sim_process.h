// SimProcess: one incarnation of a simulated process: its actors, mailboxes, timers, blocking
// lanes, and the Runtime of each shard. Destroyed by a crash.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "shared/runtime/host.h"
#include "shared/runtime/mailbox.h"
#include "shared/runtime/random.h"
#include "shared/runtime/sim/sim_event_queue.h"

namespace tidemill {

class SimWorld;

struct SimProcessIdentity {
  size_t place = 0;          // which process of the simulation
  uint64_t incarnation = 0;  // grows with each restart
  NodeId node;
  std::string endpoint;
  uint16_t shards = 1;
  int64_t monotonic_base_us = 0;  // monotonic clocks of processes have nothing in common
};

class SimProcess : public ProcessHost {
 public:
  SimProcess(SimWorld& world, SimProcessIdentity identity, uint64_t seed);
  ~SimProcess() override;

  uint16_t shards() const override { return identity_.shards; }
  void spawn(ActorId id, ActorFactory factory, size_t mailbox_limit) override;

  const SimProcessIdentity& identity() const { return identity_; }
  Runtime& runtime(uint16_t shard);
  Actor* actor(ActorId id) const;

  // Messages. `bounded` false: results that the actor has asked for.
  SendResult send(ActorId from, const ActorAddress& to, uint16_t type, Buffer body);
  SendResult put_on_its_way(const ActorAddress& from, const ActorAddress& to, uint16_t type,
                            const Buffer& body);
  SendResult post(ActorId to, Message message, bool bounded);

  // What the world hands to it when it is due.
  void start_actors();
  void arrive_local(SimEvent event);
  // False if the mailbox is full or there is no such actor.
  enum class Arrival { kAccepted, kFull, kNoActor };
  Arrival arrive_from_network(SimEvent event);
  void take_turn(ActorId id);
  void fire_timer(const SimEvent& event);
  void run_lane(ActorId actor, uint64_t lane);
  void finish_lane(SimEvent event);
  // Told to actors that watch links; whether there are any, and they were connected to the node.
  bool watches_link_to(NodeId node) const;
  void tell_link_broken(NodeId node);
  // False if no actor watches stops.
  bool ask_to_stop(const std::string& reason);

 private:
  class ShardRuntime;
  using Work = std::function<std::unique_ptr<LocalPayload>()>;
  struct Slot {
    size_t messages_max = 0;
    size_t messages = 0;  // accepted and not yet taken, also on their way within the process
    size_t bytes = 0;
    Mailbox mailbox;
    bool turn_scheduled = false;
    std::unique_ptr<Actor> actor;
  };

  SimEvent event(SimEventKind kind, ActorId actor) const;
  Slot* find(ActorId id);
  bool fits(const Slot& slot, size_t bytes) const;
  void put(ActorId id, Slot& slot, Message message);
  void schedule_lane(ActorId actor, uint64_t lane);

  SimWorld& world_;
  const SimProcessIdentity identity_;
  std::vector<std::unique_ptr<ShardRuntime>> runtimes_;
  std::map<ActorId, Slot> slots_;
  std::vector<ActorId> spawned_;
  std::map<NodeId, std::string> connections_;
  std::vector<ActorId> link_watchers_;
  std::optional<ActorId> stop_watcher_;
  std::map<std::pair<ActorId, ActorId>, int64_t> last_local_us_;  // arrival, by (from, to)
  std::set<TimerId> timers_;                                      // live
  TimerId next_timer_ = 1;
  std::map<std::pair<ActorId, uint64_t>, std::deque<Work>> lanes_;  // with work, the first runs
};

}  // namespace tidemill
