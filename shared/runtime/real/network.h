// Network: the messages between processes, over ZeroMQ. One thread owns every socket: a PULL
// socket bound to the endpoint, and a PUSH socket per connected node.
//
// Sending is bounded per link, in messages and bytes, counted until ZeroMQ has let go of them, so
// a sender learns at once that a link is full. What was accepted may still be lost (LINGER 0,
// reset connections): sessions with sequence numbers decide what arrived.
//
// Threading: create, start, stop by one thread; watch_links, connect, disconnect, find, send
// are thread-safe.
// Failure: malformed frames and messages for other incarnations are counted and dropped.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "shared/base/result.h"
#include "shared/runtime/real/probe.h"
#include "shared/runtime/real/wire_header.h"

namespace tidemill {

// The way to one node. Its counters are what send goes by.
struct NetworkLink {
  std::atomic<bool> closed{false};
  std::atomic<size_t> messages{0};  // accepted and not yet let go of
  std::atomic<size_t> bytes{0};
  virtual ~NetworkLink() = default;
};

struct NetworkConfig {
  NodeId node;
  std::vector<NodeId> aliases;  // whose messages are taken too
  std::string listen;
  std::string advertise_host;
  size_t link_messages_max = 0;
  size_t link_bytes_max = 0;
  size_t message_bytes_max = 0;
};

class Network {
 public:
  // Called by the network thread with each message for this incarnation.
  using Deliver = std::function<void(ActorId to, Message message)>;
  // Called by the network thread when a link that was up broke and its node refuses to be connected
  // anew; once until it is up again.
  using LinkBroke = std::function<void(NodeId node)>;

  static Result<std::unique_ptr<Network>> create(const NetworkConfig& config, RuntimeProbe& probe);
  virtual ~Network() = default;  // stops

  virtual const std::string& endpoint() const = 0;
  virtual void start(Deliver deliver, LinkBroke link_broke) = 0;
  virtual void stop() = 0;  // idempotent

  // Links connected from now on are watched. They cost two more sockets each.
  virtual void watch_links() = 0;
  virtual void connect(NodeId node, const std::string& endpoint) = 0;
  virtual void disconnect(NodeId node) = 0;
  // Null if the node is not connected.
  virtual std::shared_ptr<NetworkLink> find(NodeId node) = 0;
  virtual SendResult send(const std::shared_ptr<NetworkLink>& link, const WireHeader& header,
                          Buffer body) = 0;
};

}  // namespace tidemill
