// RealProcess: a process of shards for production. One thread and event loop per shard, one
// network thread that owns every ZeroMQ socket, a pool of threads for blocking work.
//
//   auto process = RealProcess::create(config);       // binds the endpoint
//   wire_worker(**process, ...);                       // spawns actors
//   std::printf("ready endpoint=%s\n", (*process)->endpoint().c_str());
//   return (*process)->run();                          // until SIGTERM, SIGINT or Runtime::stop
//
// Threading: create, spawn, run and the destructor by one thread; the rest is thread-safe.
// Failure: create says what could not be bound. After run has returned, actors are destroyed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/obs/metrics.h"
#include "shared/runtime/host.h"
#include "shared/runtime/outside_actor.h"

namespace boost::asio {
class io_context;
}

namespace tidemill {

struct RealProcessConfig {
  NodeId node;                               // 0: random from the operating system
  std::vector<NodeId> aliases{};             // further nodes under which others know it
  std::string listen = "tcp://127.0.0.1:0";  // port 0: any free one
  std::string advertise_host;                // in endpoint(); needed if `listen` is a wildcard
  uint16_t shards = 1;
  uint16_t blocking_threads = 2;         // of kNow and of kSoon each, and half as many of kRestore
  uint16_t background_threads = 1;       // for blocking work that nobody waits for
  uint32_t messages_per_turn = 64;       // of one actor before the others get their turn
  int64_t turn_us = 5'000;               // likewise: a turn that has taken so long ends
  size_t mailbox_bytes_max = 64u << 20;  // bodies waiting for one actor
  size_t link_messages_max = 16'384;     // on their way to one node
  size_t link_bytes_max = 64u << 20;
  size_t message_bytes_max = 256u << 20;  // a larger body is refused by both ends
  int stop_grace_ms = 1'000;              // of an actor that watches stops, before the process does
  int stop_deadline_ms = 10'000;          // a process whose threads hang is ended after it
  bool handle_signals = true;             // SIGTERM and SIGINT stop the process
  MetricsRegistry* metrics = nullptr;     // outlives the process; null: one of its own
};

class RealProcess : public ProcessHost {
 public:
  static Result<std::unique_ptr<RealProcess>> create(const RealProcessConfig& config);

  // This incarnation, and where it listens (the actual port).
  virtual NodeId node() const = 0;
  virtual const std::string& endpoint() const = 0;
  virtual MetricsRegistry& metrics() = 0;

  // The event loop of a shard, for what is to be served on its thread. It runs while run() does,
  // and is there until the process is destroyed.
  virtual boost::asio::io_context& loop(uint16_t shard) = 0;

  // Starts every actor and blocks until the process is stopped; gives the exit code. Once.
  virtual int run() = 0;
  // Ends run() in an orderly way; the first call decides the exit code. thread-safe
  virtual void stop(int exit_code, const std::string& reason) = 0;
  // A local object from a thread outside the runtime, such as an HTTP server's. thread-safe
  virtual SendResult post_from_outside(ActorId to, std::unique_ptr<LocalPayload> payload) = 0;
};

}  // namespace tidemill
