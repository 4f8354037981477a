#include "shared/runtime/real/network.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "shared/base/memory_account.h"
#include "shared/obs/log.h"
#include "shared/runtime/aligned_body.h"

namespace tidemill {
namespace {

constexpr int kHighWaterMessages = 1000;      // of each socket, besides our own link limits
constexpr int kReceiveBatch = 256;            // messages taken before links get their turn
constexpr size_t kCopiedBodyBytesMax = 1024;  // smaller ones would keep 8 KiB of ZeroMQ's alive
constexpr int kMaxSockets = 16'384;           // of the process; ZeroMQ's default is 1023
constexpr int kReconnectMs = 25;              // to twice that; what broke is told after it
constexpr int kReconnectMsMax = 1000;

std::string zmq_text() { return zmq_strerror(zmq_errno()); }

void set_option(void* socket, int option, int value) {
  ASSERT(zmq_setsockopt(socket, option, &value, sizeof(value)) == 0);
}

void set_common_options(void* socket) {
  set_option(socket, ZMQ_LINGER, 0);
  set_option(socket, ZMQ_SNDHWM, kHighWaterMessages);
  set_option(socket, ZMQ_RCVHWM, kHighWaterMessages);
  set_option(socket, ZMQ_TCP_KEEPALIVE, 1);
  set_option(socket, ZMQ_TCP_KEEPALIVE_IDLE, 30);
  set_option(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10);
  set_option(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
}

struct Link;

// What ZeroMQ tells of the connection under a socket (zmq_socket_monitor).
struct LinkMonitor {
  void* socket = nullptr;  // of the events
  bool broken = false;     // it was up, and is not
  bool told = false;
};

// A message that counts against its link until it is destroyed.
struct InFlight {
  InFlight(std::shared_ptr<Link> l, Buffer b, size_t n)
      : link(std::move(l)), body(std::move(b)), bytes(n), memory(MemoryConsumer::kNetwork, n) {}
  ~InFlight();
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  std::shared_ptr<Link> link;
  Buffer body;
  size_t bytes;
  HeldMemory memory;
  bool kept = false;  // ZeroMQ has handed it back, it will be sent again
};

struct Outgoing {
  WireHeaderBytes header;
  std::unique_ptr<InFlight> body;
};

struct Link : NetworkLink {
  NodeId node;
  std::string endpoint;
  std::atomic<bool> fresh{false};  // `incoming` has grown since the network thread looked
  std::mutex mutex;
  std::vector<Outgoing> incoming;  // under mutex

  // The network thread's own.
  void* socket = nullptr;
  LinkMonitor monitor;
  std::deque<Outgoing> queue;
  bool blocked = false;  // until the socket can take more

  // Messages hold their link, so a link that ends has to let go of them.
  void end() {
    closed.store(true);
    if (monitor.socket != nullptr) {
      zmq_socket_monitor(socket, nullptr, 0);
      zmq_close(monitor.socket);
    }
    monitor = {};
    if (socket != nullptr) zmq_close(socket);
    socket = nullptr;
    queue.clear();
    const std::lock_guard lock(mutex);
    incoming.clear();
  }
};

InFlight::~InFlight() {
  link->messages.fetch_sub(1);
  link->bytes.fetch_sub(bytes);
}

// Called by a thread of ZeroMQ's own when the bytes are no longer needed.
void let_go(void*, void* hint) {
  auto* message = static_cast<InFlight*>(hint);
  if (!message->kept) delete message;
}

enum class SendOutcome { kSent, kBlocked, kFailed };

SendOutcome send_frames(void* socket, Outgoing& out) {
  if (zmq_send(socket, out.header.data(), out.header.size(), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
    return zmq_errno() == EAGAIN ? SendOutcome::kBlocked : SendOutcome::kFailed;
  }
  InFlight* message = out.body.get();
  zmq_msg_t frame;
  // ZeroMQ does not write to what it sends.
  void* data = const_cast<uint8_t*>(message->body.data());
  ASSERT(zmq_msg_init_data(&frame, data, message->body.size(), let_go, message) == 0);
  if (zmq_msg_send(&frame, socket, ZMQ_DONTWAIT) < 0) {
    const int error = zmq_errno();
    message->kept = true;
    zmq_msg_close(&frame);
    message->kept = false;
    // A header whose body is refused has been rolled back: both are sent again.
    return error == EAGAIN ? SendOutcome::kBlocked : SendOutcome::kFailed;
  }
  static_cast<void>(out.body.release());  // let_go deletes it
  return SendOutcome::kSent;
}

using ReceivedFrame = std::shared_ptr<zmq_msg_t>;

ReceivedFrame receive_frame(void* socket) {
  ReceivedFrame frame(new zmq_msg_t, [](zmq_msg_t* m) {
    zmq_msg_close(m);
    delete m;
  });
  zmq_msg_init(frame.get());
  if (zmq_msg_recv(frame.get(), socket, ZMQ_DONTWAIT) < 0) return nullptr;
  return frame;
}

std::span<const uint8_t> bytes_of(const ReceivedFrame& frame) {
  return {static_cast<const uint8_t*>(zmq_msg_data(frame.get())), zmq_msg_size(frame.get())};
}

Buffer body_of(const ReceivedFrame& frame) {
  const auto bytes = bytes_of(frame);
  if (bytes.size() <= kCopiedBodyBytesMax) return copied_body(bytes);
  return aligned_body(Buffer(frame, bytes));
}

// "tcp://host:port" with another host.
std::string with_host(const std::string& endpoint, const std::string& host) {
  return "tcp://" + host + endpoint.substr(endpoint.rfind(':'));
}

bool is_wildcard(const std::string& endpoint) {
  return endpoint.starts_with("tcp://*:") || endpoint.starts_with("tcp://0.0.0.0:") ||
         endpoint.starts_with("tcp://[::]:");
}

class ZmqNetwork : public Network {
 public:
  ZmqNetwork(const NetworkConfig& config, RuntimeProbe& probe) : config_(config), probe_(probe) {}
  ~ZmqNetwork() override;

  Status bind();
  const std::string& endpoint() const override { return endpoint_; }
  void start(Deliver deliver, LinkBroke link_broke) override;
  void stop() override;

  void watch_links() override { watching_.store(true); }
  void connect(NodeId node, const std::string& endpoint) override;
  void disconnect(NodeId node) override;
  std::shared_ptr<NetworkLink> find(NodeId node) override;
  SendResult send(const std::shared_ptr<NetworkLink>& link, const WireHeader& header,
                  Buffer body) override;

 private:
  void wake();
  void serve();
  void wait();
  void adopt_links();
  bool open(Link& link);
  bool open_monitor(Link& link);
  void read_monitor(Link& link);
  void pump(Link& link);
  bool receive_one();
  void accept(const ReceivedFrame& head, const ReceivedFrame& body);
  void close_all();

  const NetworkConfig config_;
  RuntimeProbe& probe_;
  std::string endpoint_;
  Deliver deliver_;
  LinkBroke link_broke_;
  std::atomic<bool> watching_{false};
  uint64_t monitors_ = 0;  // opened ever
  void* context_ = nullptr;
  void* pull_ = nullptr;
  int wake_fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread thread_;

  std::mutex mutex_;
  std::map<NodeId, std::shared_ptr<Link>> connected_;  // under mutex_
  std::vector<std::shared_ptr<Link>> to_open_;         // under mutex_

  std::vector<std::shared_ptr<Link>> links_;  // the network thread's own
};

ZmqNetwork::~ZmqNetwork() {
  stop();
  close_all();
  if (context_ != nullptr) zmq_ctx_term(context_);
  if (wake_fd_ >= 0) close(wake_fd_);
}

Status ZmqNetwork::bind() {
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd_ < 0) return fatal_error(std::string("eventfd: ") + std::strerror(errno));
  context_ = zmq_ctx_new();
  if (context_ == nullptr) return fatal_error("zmq_ctx_new: " + zmq_text());
  zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, kMaxSockets);
  pull_ = zmq_socket(context_, ZMQ_PULL);
  if (pull_ == nullptr) return fatal_error("zmq_socket: " + zmq_text());
  set_common_options(pull_);
  const auto size_max = static_cast<int64_t>(config_.message_bytes_max);
  ASSERT(zmq_setsockopt(pull_, ZMQ_MAXMSGSIZE, &size_max, sizeof(size_max)) == 0);
  if (is_wildcard(config_.listen) && config_.advertise_host.empty()) {
    return user_error("listen address '" + config_.listen +
                      "' is a wildcard, at which others cannot reach this process: listen at one "
                      "address or give the host to advertise");
  }
  if (zmq_bind(pull_, config_.listen.c_str()) != 0) {
    return user_error("cannot listen at '" + config_.listen + "': " + zmq_text() +
                      "; an address looks like tcp://127.0.0.1:7000 (port 0: any free one)");
  }
  char bound[256];
  size_t length = sizeof(bound);
  if (zmq_getsockopt(pull_, ZMQ_LAST_ENDPOINT, bound, &length) != 0) {
    return fatal_error("ZMQ_LAST_ENDPOINT: " + zmq_text());
  }
  endpoint_ = bound;
  if (!config_.advertise_host.empty()) endpoint_ = with_host(endpoint_, config_.advertise_host);
  return {};
}

void ZmqNetwork::start(Deliver deliver, LinkBroke link_broke) {
  ASSERT(!thread_.joinable());
  deliver_ = std::move(deliver);
  link_broke_ = std::move(link_broke);
  thread_ = std::thread([this] { serve(); });
}

void ZmqNetwork::stop() {
  stopping_.store(true);
  if (!thread_.joinable()) return;
  wake();
  thread_.join();
}

void ZmqNetwork::wake() {
  const uint64_t one = 1;
  // Fails only if the counter is full, and then the thread wakes anyway.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

void ZmqNetwork::connect(NodeId node, const std::string& endpoint) {
  if (node == config_.node) return;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = connected_[node];
    if (slot != nullptr && !slot->closed.load()) return;
    slot = std::make_shared<Link>();
    slot->node = node;
    slot->endpoint = endpoint;
    to_open_.push_back(slot);
  }
  wake();
}

void ZmqNetwork::disconnect(NodeId node) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = connected_.find(node);
    if (it == connected_.end()) return;
    it->second->closed.store(true);
    connected_.erase(it);
  }
  wake();
}

std::shared_ptr<NetworkLink> ZmqNetwork::find(NodeId node) {
  const std::lock_guard lock(mutex_);
  const auto it = connected_.find(node);
  return it == connected_.end() ? nullptr : it->second;
}

SendResult ZmqNetwork::send(const std::shared_ptr<NetworkLink>& network_link,
                            const WireHeader& header, Buffer body) {
  auto link = std::static_pointer_cast<Link>(network_link);
  if (link->closed.load() || stopping_.load()) return SendResult::kClosed;
  if (body.size() > config_.message_bytes_max) {
    probe_.refused_too_large.add();
    log_event(LogLevel::kError, "message_too_large",
              {{"type", header.type}, {"bytes", body.size()}, {"max", config_.message_bytes_max}});
    return SendResult::kClosed;
  }
  const size_t bytes = body.size() + kWireHeaderBytes;
  const size_t messages_before = link->messages.fetch_add(1);
  const size_t bytes_before = link->bytes.fetch_add(bytes);
  // A single message larger than the limit may pass an empty link.
  Outgoing out{encode_wire_header(header),
               std::make_unique<InFlight>(link, std::move(body), bytes)};
  if (messages_before >= config_.link_messages_max ||
      (bytes_before > 0 && bytes_before + bytes > config_.link_bytes_max)) {
    probe_.refused_link_full.add();
    return SendResult::kFull;  // `out` gives its share back
  }
  {
    const std::lock_guard lock(link->mutex);
    if (link->closed.load()) return SendResult::kClosed;  // nobody would clear it any more
    link->incoming.push_back(std::move(out));
  }
  if (!link->fresh.exchange(true)) wake();
  return SendResult::kAccepted;
}

void ZmqNetwork::serve() {
  while (!stopping_.load()) {
    wait();
    adopt_links();
    for (int i = 0; i < kReceiveBatch && receive_one(); ++i) {
    }
    for (const auto& link : links_) {
      pump(*link);
      if (link->monitor.socket != nullptr) read_monitor(*link);
    }
  }
  close_all();
}

void ZmqNetwork::wait() {
  std::vector<zmq_pollitem_t> items;
  items.push_back({pull_, 0, ZMQ_POLLIN, 0});
  items.push_back({nullptr, wake_fd_, ZMQ_POLLIN, 0});
  for (const auto& link : links_) {
    if (link->blocked) items.push_back({link->socket, 0, ZMQ_POLLOUT, 0});
    if (link->monitor.socket != nullptr) items.push_back({link->monitor.socket, 0, ZMQ_POLLIN, 0});
  }
  zmq_poll(items.data(), static_cast<int>(items.size()), -1);  // EINTR: look around
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = read(wake_fd_, &ignored, sizeof(ignored));
}

void ZmqNetwork::adopt_links() {
  std::vector<std::shared_ptr<Link>> to_open;
  {
    const std::lock_guard lock(mutex_);
    to_open.swap(to_open_);
  }
  for (auto& link : to_open) {
    if (open(*link)) {
      links_.push_back(std::move(link));
    } else {
      link->end();
    }
  }
  std::erase_if(links_, [](const std::shared_ptr<Link>& link) {
    if (!link->closed.load()) return false;
    link->end();
    return true;
  });
}

bool ZmqNetwork::open(Link& link) {
  link.socket = zmq_socket(context_, ZMQ_PUSH);
  if (link.socket != nullptr) {
    set_common_options(link.socket);
    set_option(link.socket, ZMQ_IMMEDIATE, 1);
    set_option(link.socket, ZMQ_RECONNECT_IVL, kReconnectMs);
    set_option(link.socket, ZMQ_RECONNECT_IVL_MAX, kReconnectMsMax);
    const bool monitored = !watching_.load() || open_monitor(link);
    if (monitored && zmq_connect(link.socket, link.endpoint.c_str()) == 0) return true;
  }
  log_event(LogLevel::kWarning, "link_not_opened",
            {{"node", link.node.value}, {"endpoint", link.endpoint}, {"reason", zmq_text()}});
  return false;  // the link is ended
}

bool ZmqNetwork::open_monitor(Link& link) {
  const std::string events = "inproc://link-" + std::to_string(++monitors_);
  constexpr int kEvents = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED;
  if (zmq_socket_monitor(link.socket, events.c_str(), kEvents) != 0) return false;
  link.monitor.socket = zmq_socket(context_, ZMQ_PAIR);
  if (link.monitor.socket == nullptr) return false;
  set_option(link.monitor.socket, ZMQ_LINGER, 0);
  return zmq_connect(link.monitor.socket, events.c_str()) == 0;
}

// A connection that ends, and then an attempt that fails: the process has ended. A link that never
// was up says nothing about its node, nor does one on which nothing comes and goes.
void ZmqNetwork::read_monitor(Link& link) {
  LinkMonitor& monitor = link.monitor;
  while (const ReceivedFrame frame = receive_frame(monitor.socket)) {
    uint16_t event = 0;
    if (bytes_of(frame).size() < sizeof(event)) continue;  // the endpoint comes in another frame
    std::memcpy(&event, bytes_of(frame).data(), sizeof(event));
    const ReceivedFrame endpoint = receive_frame(monitor.socket);
    if (event == ZMQ_EVENT_CONNECTED) monitor.broken = monitor.told = false;
    if (event == ZMQ_EVENT_DISCONNECTED) monitor.broken = true;
    if (event != ZMQ_EVENT_CLOSED || !monitor.broken || monitor.told) continue;
    monitor.told = true;
    link_broke_(link.node);
  }
}

void ZmqNetwork::pump(Link& link) {
  if (link.fresh.exchange(false)) {
    std::vector<Outgoing> incoming;
    {
      const std::lock_guard lock(link.mutex);
      incoming.swap(link.incoming);
    }
    for (Outgoing& out : incoming) link.queue.push_back(std::move(out));
  }
  link.blocked = false;
  while (!link.queue.empty()) {
    Outgoing& out = link.queue.front();
    const size_t bytes = out.body->body.size();
    const SendOutcome outcome = send_frames(link.socket, out);
    if (outcome == SendOutcome::kBlocked) {
      link.blocked = true;
      return;
    }
    if (outcome == SendOutcome::kSent) {
      probe_.network_messages_sent.add();
      probe_.network_bytes_sent.add(bytes);
    } else {
      log_event(LogLevel::kWarning, "link_send_failed",
                {{"node", link.node.value}, {"reason", zmq_text()}});
    }
    link.queue.pop_front();
  }
}

bool ZmqNetwork::receive_one() {
  const ReceivedFrame head = receive_frame(pull_);
  if (head == nullptr) return false;
  ReceivedFrame body;
  int frames = 1;
  // The frames of one message arrive together.
  for (bool more = zmq_msg_more(head.get()) != 0; more; ++frames) {
    ReceivedFrame next = receive_frame(pull_);
    if (next == nullptr) break;
    more = zmq_msg_more(next.get()) != 0;
    if (frames == 1) body = std::move(next);
  }
  if (frames == 2 && body != nullptr) {
    accept(head, body);
  } else {
    probe_.dropped_malformed.add();
    log_event(LogLevel::kWarning, "frames_malformed", {{"frames", frames}});
  }
  return true;
}

void ZmqNetwork::accept(const ReceivedFrame& head, const ReceivedFrame& body) {
  const auto header = decode_wire_header(bytes_of(head));
  if (!header.has_value() || header->body_bytes != bytes_of(body).size()) {
    probe_.dropped_malformed.add();
    log_event(LogLevel::kWarning, "frames_malformed",
              {{"header_bytes", bytes_of(head).size()}, {"body_bytes", bytes_of(body).size()}});
    return;
  }
  const auto& aliases = config_.aliases;
  if (header->to.node != config_.node &&
      std::find(aliases.begin(), aliases.end(), header->to.node) == aliases.end()) {
    probe_.dropped_stale_incarnation.add();
    return;
  }
  probe_.network_messages_received.add();
  probe_.network_bytes_received.add(header->body_bytes);
  deliver_(header->to.actor, Message{header->from, header->type, body_of(body), nullptr});
}

void ZmqNetwork::close_all() {
  for (const auto& link : links_) link->end();
  links_.clear();
  const std::lock_guard lock(mutex_);
  for (const auto& [node, link] : connected_) link->end();
  for (const auto& link : to_open_) link->end();  // those disconnected before they were opened
  connected_.clear();
  to_open_.clear();
  if (pull_ != nullptr) zmq_close(pull_);
  pull_ = nullptr;
}

}  // namespace

Result<std::unique_ptr<Network>> Network::create(const NetworkConfig& config, RuntimeProbe& probe) {
  auto network = std::make_unique<ZmqNetwork>(config, probe);
  const Status bound = network->bind();
  if (!bound.ok()) return bound.error();
  return std::unique_ptr<Network>(std::move(network));
}

}  // namespace tidemill
