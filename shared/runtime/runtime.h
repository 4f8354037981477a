// The seam between actors and the world. Clock, timers, randomness, network and blocking work come
// from here only; shared/runtime/real implements it on Boost.Asio and ZeroMQ, shared/runtime/sim in
// one thread on virtual time from a seed. Only main files and tests name an implementation.
//
// shard-affine: an actor uses the Runtime of its shard, from its own handlers only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "shared/base/buffer.h"
#include "shared/base/ids.h"

namespace tidemill {

// An actor within its process: which shard's thread runs it, and its index there. Indexes are
// well known per role (shared/wire/actors.h), so an address needs no directory.
struct ActorId {
  uint16_t shard = 0;
  uint16_t index = 0;
  friend constexpr auto operator<=>(ActorId, ActorId) = default;
};

struct ActorAddress {
  NodeId node;
  ActorId actor;
  friend constexpr auto operator<=>(const ActorAddress&, const ActorAddress&) = default;
};

// What an actor receives: bytes from an actor of any process (type is of shared/wire/messages.h;
// the same Buffer is handed over within a process, without a copy), or a local object.
struct LocalPayload {
  virtual ~LocalPayload() = default;
};

struct Message {
  ActorAddress from;
  uint16_t type = 0;
  Buffer body;
  std::unique_ptr<LocalPayload> local;  // set by run_blocking and post_local only
};

// What an actor gets that watches links: the connection to `node` broke, and nothing listens at its
// endpoint any more, as when a process has ended. A hint: it may come late, never, or be wrong.
struct LinkBroken : LocalPayload {
  explicit LinkBroken(NodeId n) : node(n) {}
  NodeId node;
};

// What an actor gets that watches stops: somebody outside wants the process to end.
struct StopAsked : LocalPayload {
  explicit StopAsked(std::string r) : reason(std::move(r)) {}
  std::string reason;
};

// What became of a send. Accepted means queued, never delivered: end-to-end sequence numbers
// decide what arrived. kFull: the mailbox or the link is at its limit, try after a credit or a
// timer. kClosed: no such actor here, or no connection to that node.
enum class SendResult { kAccepted, kFull, kClosed };

class Actor {
 public:
  virtual ~Actor() = default;
  // Once, before any message, on the actor's shard.
  virtual void start() {}
  // Runs to completion: no blocking, locks, threads or coroutines.
  virtual void receive(Message message) = 0;
  virtual void on_timer(uint64_t token) = 0;
};

using TimerId = uint64_t;

// Of blocking work, the most urgent first. A lane is as urgent as the most urgent work in it.
enum class Urgency {
  kNow,      // what is fresh, or a reader, waits for it
  kRestore,  // a key partition has no owner until it is done
  kSoon,     // something stands still until it is done, or is behind: catching up
  kLater,    // nothing does: increments, copies, clearing away
};

using BlockingWork = std::function<std::unique_ptr<LocalPayload>()>;

class Runtime {
 public:
  virtual ~Runtime() = default;

  // This process's incarnation, and the endpoint at which others reach it.
  virtual NodeId node() const = 0;
  virtual const std::string& endpoint() const = 0;
  virtual uint16_t shard() const = 0;

  virtual int64_t monotonic_us() const = 0;
  virtual int64_t wall_us() const = 0;  // since the Unix epoch
  virtual uint64_t random() = 0;
  // CPU time of the calling thread, for accounting only; 0 in simulation. thread-safe
  virtual int64_t thread_cpu_ns() const = 0;

  // Makes `node` reachable. Idempotent; a node's endpoint never changes.
  virtual void connect(NodeId node, const std::string& endpoint) = 0;
  virtual void disconnect(NodeId node) = 0;

  // `actor` (on this shard) gets LinkBroken for nodes that are connected from now on.
  virtual void watch_links(ActorId actor) = 0;

  // Bytes to an actor of this or another process. `from` is the sender.
  virtual SendResult send(ActorId from, const ActorAddress& to, uint16_t type, Buffer body) = 0;

  // A local object to an actor of this process.
  virtual SendResult post_local(ActorId from, ActorId to,
                                std::unique_ptr<LocalPayload> payload) = 0;

  // on_timer(token) of `actor` (on this shard) after `delay_us`.
  virtual TimerId start_timer(ActorId actor, int64_t delay_us, uint64_t token) = 0;
  virtual void cancel_timer(TimerId timer) = 0;

  // Runs `work` on the blocking pool and posts what it returns to `actor` (on this shard). Work
  // given for one `lane` (any number an actor chooses) runs in order, one at a time.
  virtual void run_blocking(ActorId actor, uint64_t lane, Urgency urgency, BlockingWork work) = 0;
  void run_blocking(ActorId actor, uint64_t lane, BlockingWork work) {
    run_blocking(actor, lane, Urgency::kNow, std::move(work));
  }

  // `actor` (on this shard) gets StopAsked when the process is to end (SIGTERM, SIGINT), and calls
  // stop() in its own time, which is short: after a second the process is stopped anyway. Without
  // such an actor it is stopped at once.
  virtual void watch_stop(ActorId actor) = 0;

  // Ends the process in an orderly way.
  virtual void stop(int exit_code, const std::string& reason) = 0;
};

}  // namespace tidemill
