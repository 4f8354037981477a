// Shard: one thread, its event loop, its actors and its timers; the Runtime that they see.
//
// Actors take turns: at most messages_per_turn messages and turn_us of one, then the next. Messages
// from the shard itself go straight into a mailbox; those from other threads through the inbox.
//
// shard-affine, except what is marked thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "shared/runtime/mailbox.h"
#include "shared/runtime/random.h"
#include "shared/runtime/real/blocking_pool.h"
#include "shared/runtime/real/network.h"
#include "shared/runtime/real/real_process.h"
#include "shared/runtime/real/timer_heap.h"

namespace boost::asio {
class io_context;
}

namespace tidemill {

// What the shards of a process have in common.
class ProcessCore {
 public:
  virtual ~ProcessCore() = default;
  virtual const RealProcessConfig& config() const = 0;
  virtual NodeId node() const = 0;
  virtual const std::string& endpoint() const = 0;
  virtual RuntimeProbe& probe() = 0;
  virtual Network& network() = 0;
  virtual BlockingPool& pool() = 0;
  // A message to any actor of the process. thread-safe
  virtual SendResult post(ActorId to, Message message) = 0;
  virtual void stop(int exit_code, const std::string& reason) = 0;  // thread-safe
  virtual void watch_links(ActorId actor) = 0;                      // thread-safe
  virtual void watch_stop(ActorId actor) = 0;                       // thread-safe
};

// An actor and its mailbox.
struct ActorSlot {
  ActorId id;
  size_t messages_max = 0;
  std::unique_ptr<Actor> actor;
  // Accepted and not yet taken by the actor, wherever they are.
  std::atomic<size_t> messages{0};
  std::atomic<size_t> bytes{0};
  // The shard's own.
  Mailbox mailbox;
  bool is_ready = false;
};

// The event loop, fenced from this header.
class ShardLoop;

class Shard : public Runtime {
 public:
  Shard(ProcessCore& core, uint16_t index, uint64_t seed);
  ~Shard() override;

  // Before run.
  void spawn(ActorId id, const ActorFactory& factory, size_t mailbox_limit);
  // Starts the actors, serves until stop(), destroys the actors. Once, on the shard's thread.
  void run();
  void stop();  // thread-safe
  boost::asio::io_context& loop();
  // thread-safe. `bounded` false: for results that the actor itself has asked for.
  SendResult post(uint16_t index, Message message, bool bounded);

  NodeId node() const override { return core_.node(); }
  const std::string& endpoint() const override { return core_.endpoint(); }
  uint16_t shard() const override { return index_; }
  int64_t monotonic_us() const override;
  int64_t thread_cpu_ns() const override;
  int64_t wall_us() const override;
  uint64_t random() override { return random_.next(); }
  void watch_links(ActorId actor) override { core_.watch_links(actor); }
  void watch_stop(ActorId actor) override { core_.watch_stop(actor); }
  void connect(NodeId node, const std::string& endpoint) override;
  void disconnect(NodeId node) override;
  SendResult send(ActorId from, const ActorAddress& to, uint16_t type, Buffer body) override;
  SendResult post_local(ActorId from, ActorId to, std::unique_ptr<LocalPayload> payload) override;
  TimerId start_timer(ActorId actor, int64_t delay_us, uint64_t token) override;
  void cancel_timer(TimerId timer) override;
  void run_blocking(ActorId actor, uint64_t lane, Urgency urgency, BlockingWork work) override;
  void stop(int exit_code, const std::string& reason) override { core_.stop(exit_code, reason); }

 private:
  struct Incoming {
    ActorSlot* slot;
    Message message;
  };

  void destroy_actors();
  bool reserve(ActorSlot& slot, size_t bytes, bool bounded);
  void put(ActorSlot& slot, Message message);
  void take_inbox();
  void schedule_turns();
  void take_turns();
  void take_turn(ActorSlot& slot);
  void arm_timer();
  void fire_timers();
  NetworkLink* link_to(NodeId node);

  ProcessCore& core_;
  const uint16_t index_;
  Random random_;
  std::unique_ptr<ShardLoop> loop_;
  std::vector<std::unique_ptr<ActorSlot>> slots_;  // by ActorId::index, null where none
  std::vector<ActorId> spawned_;                   // in order
  std::vector<ActorSlot*> ready_;
  std::vector<ActorSlot*> round_;  // those whose turn it is
  bool turns_scheduled_ = false;
  std::atomic<bool> stopping_{false};

  TimerHeap timers_;
  int64_t armed_us_ = 0;  // when the loop's timer fires; 0: not armed

  std::map<NodeId, std::shared_ptr<NetworkLink>> links_;  // those looked up before

  std::mutex mutex_;
  std::vector<Incoming> inbox_;   // under mutex_
  bool inbox_scheduled_ = false;  // under mutex_
};

}  // namespace tidemill
