#include "shared/runtime/sim/sim_process.h"

#include <algorithm>

#include "shared/runtime/aligned_body.h"
#include "shared/runtime/outside_actor.h"
#include "shared/runtime/sim/sim_world.h"

namespace tidemill {

class SimProcess::ShardRuntime : public Runtime {
 public:
  ShardRuntime(SimProcess& process, uint16_t shard, uint64_t seed)
      : process_(process), world_(process.world_), shard_(shard), random_(seed) {}

  NodeId node() const override { return process_.identity_.node; }
  const std::string& endpoint() const override { return process_.identity_.endpoint; }
  uint16_t shard() const override { return shard_; }
  int64_t monotonic_us() const override {
    return process_.identity_.monotonic_base_us + world_.now_us();
  }
  int64_t wall_us() const override { return world_.wall_us(process_.identity_.place); }
  uint64_t random() override { return random_.next(); }
  int64_t thread_cpu_ns() const override { return 0; }

  void connect(NodeId node, const std::string& endpoint) override {
    process_.connections_.try_emplace(node, endpoint);
  }
  void disconnect(NodeId node) override { process_.connections_.erase(node); }

  void watch_links(ActorId actor) override { process_.link_watchers_.push_back(actor); }
  void watch_stop(ActorId actor) override { process_.stop_watcher_ = actor; }

  SendResult send(ActorId from, const ActorAddress& to, uint16_t type, Buffer body) override {
    return process_.send(from, to, type, std::move(body));
  }
  SendResult post_local(ActorId from, ActorId to, std::unique_ptr<LocalPayload> payload) override {
    return process_.post(to, Message{{node(), from}, 0, Buffer(), std::move(payload)}, true);
  }

  TimerId start_timer(ActorId actor, int64_t delay_us, uint64_t token) override {
    ASSERT(actor.shard == shard_ && process_.find(actor) != nullptr);
    const TimerId id = process_.next_timer_++;
    process_.timers_.insert(id);
    SimEvent event = process_.event(SimEventKind::kTimer, actor);
    event.number = id;
    event.token = token;
    world_.schedule(std::max<int64_t>(delay_us, 0) + world_.timer_lateness_us(), std::move(event));
    return id;
  }
  void cancel_timer(TimerId timer) override { process_.timers_.erase(timer); }

  // One thread has no priorities: whatever it is, it may be as late as any.
  void run_blocking(ActorId actor, uint64_t lane, Urgency, BlockingWork work) override {
    ASSERT(actor.shard == shard_ && process_.find(actor) != nullptr);
    auto& queue = process_.lanes_[{actor, lane}];
    queue.push_back(std::move(work));
    if (queue.size() == 1) process_.schedule_lane(actor, lane);
  }

  void stop(int exit_code, const std::string& reason) override {
    world_.stop_process(process_.identity_.place, exit_code, reason);
  }

 private:
  SimProcess& process_;
  SimWorld& world_;
  const uint16_t shard_;
  Random random_;
};

SimProcess::SimProcess(SimWorld& world, SimProcessIdentity identity, uint64_t seed)
    : world_(world), identity_(std::move(identity)) {
  Random seeds(seed);
  for (uint16_t i = 0; i < identity_.shards; ++i) {
    runtimes_.push_back(std::make_unique<ShardRuntime>(*this, i, seeds.next()));
  }
}

SimProcess::~SimProcess() {
  for (auto it = spawned_.rbegin(); it != spawned_.rend(); ++it) slots_.at(*it).actor.reset();
}

void SimProcess::spawn(ActorId id, ActorFactory factory, size_t mailbox_limit) {
  ASSERT(id.shard < identity_.shards && !slots_.contains(id));
  slots_[id].messages_max = mailbox_limit;
  spawned_.push_back(id);
  slots_[id].actor = factory(*runtimes_[id.shard]);
  ASSERT(slots_[id].actor != nullptr);
}

Runtime& SimProcess::runtime(uint16_t shard) {
  ASSERT(shard < runtimes_.size());
  return *runtimes_[shard];
}

Actor* SimProcess::actor(ActorId id) const {
  const auto it = slots_.find(id);
  return it == slots_.end() ? nullptr : it->second.actor.get();
}

SimEvent SimProcess::event(SimEventKind kind, ActorId actor) const {
  SimEvent event;
  event.kind = kind;
  event.process = identity_.place;
  event.incarnation = identity_.incarnation;
  event.actor = actor;
  return event;
}

SimProcess::Slot* SimProcess::find(ActorId id) {
  const auto it = slots_.find(id);
  return it == slots_.end() ? nullptr : &it->second;
}

bool SimProcess::fits(const Slot& slot, size_t bytes) const {
  return slot.messages < slot.messages_max &&
         (slot.bytes == 0 || slot.bytes + bytes <= world_.config().mailbox_bytes_max);
}

SendResult SimProcess::send(ActorId from, const ActorAddress& to, uint16_t type, Buffer body) {
  const ActorAddress sender{identity_.node, from};
  const SendResult result = put_on_its_way(sender, to, type, body);
  world_.note_sent({world_.now_us(), identity_.place, sender, to, type, body, result});
  return result;
}

SendResult SimProcess::put_on_its_way(const ActorAddress& from, const ActorAddress& to,
                                      uint16_t type, const Buffer& body) {
  if (to.node == identity_.node) {
    return post(to.actor, Message{from, type, aligned_body(body), nullptr}, true);
  }
  const auto it = connections_.find(to.node);
  if (it == connections_.end()) return SendResult::kClosed;
  return world_.send(identity_.place, it->second, from, to, type, body);
}

SendResult SimProcess::post(ActorId to, Message message, bool bounded) {
  Slot* slot = find(to);
  if (slot == nullptr) return SendResult::kClosed;
  const size_t bytes = message.body.size();
  if (bounded && !fits(*slot, bytes)) {
    world_.count(SimFault::kMailboxFull);
    return SendResult::kFull;
  }
  ++slot->messages;
  slot->bytes += bytes;
  int64_t& last_us = last_local_us_[{message.from.actor, to}];
  last_us = std::max(last_us, world_.now_us() + world_.local_delay_us());
  SimEvent arrival = event(SimEventKind::kLocalArrival, to);
  arrival.message = std::move(message);
  world_.schedule(last_us - world_.now_us(), std::move(arrival));
  return SendResult::kAccepted;
}

void SimProcess::start_actors() {
  for (const ActorId id : spawned_) slots_.at(id).actor->start();
}

void SimProcess::arrive_local(SimEvent event) {
  put(event.actor, slots_.at(event.actor), std::move(event.message));
}

SimProcess::Arrival SimProcess::arrive_from_network(SimEvent event) {
  Slot* slot = find(event.actor);
  if (slot == nullptr) return Arrival::kNoActor;
  if (!fits(*slot, event.message.body.size())) return Arrival::kFull;
  ++slot->messages;
  slot->bytes += event.message.body.size();
  put(event.actor, *slot, std::move(event.message));
  return Arrival::kAccepted;
}

void SimProcess::put(ActorId id, Slot& slot, Message message) {
  slot.mailbox.push(std::move(message));
  if (std::exchange(slot.turn_scheduled, true)) return;
  world_.schedule(world_.turn_us(), event(SimEventKind::kTurn, id));
}

void SimProcess::take_turn(ActorId id) {
  Slot& slot = slots_.at(id);
  Message message = slot.mailbox.pop();
  --slot.messages;
  slot.bytes -= message.body.size();
  slot.turn_scheduled = !slot.mailbox.empty();
  if (slot.turn_scheduled) world_.schedule(world_.turn_us(), event(SimEventKind::kTurn, id));
  world_.trace(message.from, {identity_.node, id}, message.type, message.body);
  slot.actor->receive(std::move(message));
}

void SimProcess::fire_timer(const SimEvent& event) {
  if (timers_.erase(event.number) == 0) return;  // cancelled
  world_.trace_timer({identity_.node, event.actor}, event.token);
  slots_.at(event.actor).actor->on_timer(event.token);
}

void SimProcess::schedule_lane(ActorId actor, uint64_t lane) {
  SimEvent run = event(SimEventKind::kBlockingRun, actor);
  run.number = lane;
  world_.schedule(world_.blocking_delay_us(identity_.place), std::move(run));
}

void SimProcess::run_lane(ActorId actor, uint64_t lane) {
  const Work work = std::move(lanes_.at({actor, lane}).front());
  SimEvent done = event(SimEventKind::kBlockingDone, actor);
  done.number = lane;
  done.message = Message{{identity_.node, actor}, 0, Buffer(), work()};
  world_.schedule(world_.blocking_delay_us(identity_.place), std::move(done));
}

void SimProcess::finish_lane(SimEvent event) {
  const auto it = lanes_.find({event.actor, event.number});
  it->second.pop_front();
  if (it->second.empty()) {
    lanes_.erase(it);
  } else {
    schedule_lane(event.actor, event.number);
  }
  post(event.actor, std::move(event.message), false);
}

bool SimProcess::watches_link_to(NodeId node) const {
  return !link_watchers_.empty() && connections_.contains(node);
}

void SimProcess::tell_link_broken(NodeId node) {
  for (const ActorId actor : link_watchers_) {
    post(actor, Message{{identity_.node, actor}, 0, Buffer(), std::make_unique<LinkBroken>(node)},
         true);
  }
}

bool SimProcess::ask_to_stop(const std::string& reason) {
  if (!stop_watcher_) return false;
  Message message{
      {identity_.node, kOutsideActor}, 0, Buffer(), std::make_unique<StopAsked>(reason)};
  return post(*stop_watcher_, std::move(message), true) == SendResult::kAccepted;
}

}  // namespace tidemill
