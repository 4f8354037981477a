// The real runtime's network: incarnations, full links, and hostile bytes.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <atomic>
#include <future>
#include <thread>

#include "shared/runtime/random.h"
#include "shared/runtime/real/wire_header.h"
#include "tests/unit/runtime/runtime_under_test.h"

namespace tidemill {
namespace {

constexpr ActorId kSelf{0, 1};
constexpr ActorId kPeer{0, 2};

uint64_t dropped(RealProcess& process, const char* reason) {
  return process.metrics()
      .counter("tidemill_runtime_dropped_messages_total", "", {{"reason", reason}})
      .value();
}

// A process that runs in a thread of its own until the end of the scope.
class Running {
 public:
  using Equip = std::function<void(Runtime&, LambdaActor&)>;

  Running(RealProcessConfig config, ActorId id, Equip equip, size_t mailbox_limit = 4096) {
    config.handle_signals = false;
    auto process = RealProcess::create(config);
    EXPECT_TRUE(process.ok()) << (process.ok() ? "" : process.error().message());
    process_ = std::move(*process);
    spawn_watchdog(*process_);
    process_->spawn(
        id,
        [equip = std::move(equip)](Runtime& r) {
          auto actor = std::make_unique<LambdaActor>();
          equip(r, *actor);
          return actor;
        },
        mailbox_limit);
    thread_ = std::thread([this] { exit_code_ = process_->run(); });
  }
  ~Running() {
    process_->stop(0, "end of scope");
    if (thread_.joinable()) thread_.join();
  }
  // Until it stops by itself.
  int wait() {
    thread_.join();
    return exit_code_;
  }
  RealProcess& operator*() { return *process_; }
  RealProcess* operator->() { return process_.get(); }

 private:
  std::unique_ptr<RealProcess> process_;
  std::thread thread_;
  int exit_code_ = -1;
};

// Looks every millisecond until `condition` holds, then stops the process.
Running::Equip stop_when(std::function<bool()> condition) {
  return [condition](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&r] { r.start_timer(kPeer, 0, 0); };
    actor.on_token = [&r, condition](uint64_t) {
      if (condition()) return r.stop(0, "condition holds");
      r.start_timer(kPeer, 1'000, 0);
    };
  };
}

TEST(RealNetwork, ARestartedProcessDoesNotGetWhatWasMeantForTheFormer) {
  NodeId former;
  std::string endpoint;
  {
    Running process({}, kPeer, [](Runtime&, LambdaActor&) {});
    former = process->node();
    endpoint = process->endpoint();
  }
  RealProcessConfig config;
  config.listen = endpoint;
  RealProcess* self = nullptr;
  std::atomic<bool> ready = false;
  std::atomic<int> received = 0;
  Running next(config, kPeer, [&](Runtime& r, LambdaActor& actor) {
    stop_when([&] { return ready && dropped(*self, "stale_incarnation") == 5; })(r, actor);
    actor.on_message = [&](Message) { ++received; };
  });
  self = &*next;
  ready = true;
  Running sender({}, kSelf, [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.connect(former, endpoint);
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(r.send(kSelf, {former, kPeer}, 1, numbered_body(1)), SendResult::kAccepted);
      }
    };
  });
  EXPECT_EQ(next.wait(), 0);
  EXPECT_EQ(received, 0);
}

TEST(RealNetwork, AnUnreachableNodeFillsItsLinkToTheLimitAndLaterGetsItAll) {
  constexpr uint64_t kLimit = 500;
  std::string endpoint;
  {
    Running reserved({}, kPeer, [](Runtime&, LambdaActor&) {});
    endpoint = reserved->endpoint();
  }
  const NodeId node{4242};
  std::atomic<uint64_t> accepted = 0;
  std::promise<void> sent;
  RealProcessConfig config;
  config.link_messages_max = kLimit;
  Running sender(config, kSelf, [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.connect(node, endpoint);
      r.connect(node, endpoint);
      for (uint64_t i = 0; i < 2 * kLimit; ++i) {
        const SendResult result = r.send(kSelf, {node, kPeer}, 1, numbered_body(i, 5'000));
        EXPECT_EQ(result, i < kLimit ? SendResult::kAccepted : SendResult::kFull);
        if (result == SendResult::kAccepted) ++accepted;
      }
      sent.set_value();
    };
  });
  sent.get_future().wait();
  EXPECT_EQ(accepted, kLimit);
  RealProcessConfig peer_config;
  peer_config.listen = endpoint;
  peer_config.node = node;
  uint64_t next = 0;
  Running peer(peer_config, kPeer, [&](Runtime& r, LambdaActor& actor) {
    actor.on_message = [&](Message m) {
      EXPECT_EQ(checked_number(m.body), next);
      if (++next == kLimit) r.stop(0, "done");
    };
  });
  EXPECT_EQ(peer.wait(), 0);
  EXPECT_EQ(next, kLimit);
}

TEST(RealNetwork, ALinkIsBoundedInBytesToo) {
  RealProcessConfig config;
  config.link_bytes_max = 1'000'000;
  std::promise<int> accepted;
  Running sender(config, kSelf, [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.connect(NodeId{5}, "tcp://127.0.0.1:1");
      int n = 0;
      while (r.send(kSelf, {NodeId{5}, kPeer}, 1, numbered_body(1, 100'000)) ==
             SendResult::kAccepted) {
        ++n;
      }
      accepted.set_value(n);
    };
  });
  EXPECT_EQ(accepted.get_future().get(), 9);
}

TEST(RealNetwork, AnUnreachableNodeDoesNotBlockOthers) {
  Running echo({}, kPeer, [](Runtime& r, LambdaActor& actor) {
    actor.on_message = [&r](Message m) { r.stop(0, "got it"); };
  });
  Running sender({}, kSelf, [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.connect(NodeId{5}, "tcp://127.0.0.1:1");
      r.connect(NodeId{6}, "nonsense");
      for (int i = 0; i < 100; ++i) {
        r.send(kSelf, {NodeId{5}, kPeer}, 1, numbered_body(1));
        r.send(kSelf, {NodeId{6}, kPeer}, 1, numbered_body(1));
      }
      r.connect(echo->node(), echo->endpoint());
      EXPECT_EQ(r.send(kSelf, {echo->node(), kPeer}, 1, numbered_body(1)), SendResult::kAccepted);
    };
  });
  EXPECT_EQ(echo.wait(), 0);
}

TEST(RealNetwork, WhatIsTooLargeIsRefusedByTheSender) {
  RealProcessConfig config;
  config.message_bytes_max = 1000;
  Running process(config, kSelf, [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.connect(NodeId{5}, "tcp://127.0.0.1:1");
      EXPECT_EQ(r.send(kSelf, {NodeId{5}, kPeer}, 1, numbered_body(1, 1000)),
                SendResult::kAccepted);
      EXPECT_EQ(r.send(kSelf, {NodeId{5}, kPeer}, 1, numbered_body(1, 1001)), SendResult::kClosed);
      r.stop(0, "done");
    };
  });
  EXPECT_EQ(process.wait(), 0);
}

TEST(RealNetwork, AMailboxThatIsFullDropsAndCounts) {
  // The actor never gets to its mailbox: it waits in start() until all has been dropped.
  RealProcess* self = nullptr;
  std::promise<void> ready;
  Running receiver(
      {}, kPeer,
      [&](Runtime& r, LambdaActor& actor) {
        actor.on_start = [&] {
          ready.get_future().wait();
          while (dropped(*self, "mailbox_full") < 90) std::this_thread::yield();
          r.stop(0, "done");
        };
      },
      10);
  self = &*receiver;
  Running sender({}, kSelf, [&](Runtime& r, LambdaActor& actor) {
    actor.on_start = [&] {
      r.connect(receiver->node(), receiver->endpoint());
      for (uint64_t i = 0; i < 100; ++i) {
        r.send(kSelf, {receiver->node(), kPeer}, 1, numbered_body(i));
      }
      for (uint64_t i = 0; i < 3; ++i) {
        r.send(kSelf, {receiver->node(), {0, 555}}, 1, numbered_body(i));
      }
    };
  });
  ready.set_value();
  EXPECT_EQ(receiver.wait(), 0);
  EXPECT_EQ(dropped(*receiver, "mailbox_full"), 90u);
}

// Hostile bytes
// ------------------------------------------------------------------------------------

using Frames = std::vector<std::vector<uint8_t>>;

class RawPush {
 public:
  explicit RawPush(const std::string& endpoint)
      : context_(zmq_ctx_new()), socket_(zmq_socket(context_, ZMQ_PUSH)) {
    EXPECT_EQ(zmq_connect(socket_, endpoint.c_str()), 0);
  }
  ~RawPush() {
    zmq_close(socket_);
    zmq_ctx_term(context_);
  }
  void send(const Frames& frames) {
    for (size_t i = 0; i < frames.size(); ++i) {
      const int more = i + 1 < frames.size() ? ZMQ_SNDMORE : 0;
      EXPECT_GE(zmq_send(socket_, frames[i].data(), frames[i].size(), more), 0);
    }
  }

 private:
  void* context_;
  void* socket_;
};

std::vector<uint8_t> random_bytes(Random& random, size_t size) {
  std::vector<uint8_t> bytes(size);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(random.next());
  return bytes;
}

void send_raw_tcp(const std::string& endpoint, const std::vector<uint8_t>& bytes) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port =
      htons(static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  close(fd);
}

TEST(RealNetwork, GarbageIsDroppedAndCountedAndTheProcessGoesOn) {
  int received = 0;
  Running process({}, kPeer, [&](Runtime& r, LambdaActor& actor) {
    actor.on_message = [&](Message m) {
      EXPECT_EQ(checked_number(m.body), 77u);
      EXPECT_EQ(m.body.size(), 9u);
      ++received;
      r.stop(0, "done");
    };
  });
  Random random(20'200'101);
  for (size_t i = 0; i < 50; ++i) {
    send_raw_tcp(process->endpoint(), random_bytes(random, random.below(2000)));
  }
  const Buffer body = numbered_body(77, 9);
  const std::vector<uint8_t> good_body(body.data(), body.data() + body.size());
  const WireHeader header{{NodeId{9}, kSelf}, {process->node(), kPeer}, 1, good_body.size()};
  const auto encoded = [](const WireHeader& h) {
    const WireHeaderBytes bytes = encode_wire_header(h);
    return std::vector<uint8_t>(bytes.begin(), bytes.end());
  };
  WireHeader longer = header;
  longer.body_bytes += 1;
  WireHeader nobody = header;
  nobody.to.actor = {7, 7};
  uint64_t malformed = 0;
  RawPush push(process->endpoint());
  const auto send_bad = [&](const Frames& frames) {
    push.send(frames);
    ++malformed;
  };
  send_bad({{}});
  send_bad({{}, {}});
  send_bad({encoded(header)});
  send_bad({encoded(header), good_body, {}});
  send_bad({encoded(header), good_body, good_body, good_body});
  send_bad({good_body, encoded(header)});
  send_bad({encoded(longer), good_body});
  for (int i = 0; i < 500; ++i) {
    Frames frames(1 + random.below(4));
    for (auto& frame : frames) frame = random_bytes(random, random.below(100));
    send_bad(frames);
    auto flipped = encoded(header);
    flipped[random.below(flipped.size())] ^= static_cast<uint8_t>(1 + random.below(255));
    send_bad({flipped, good_body});
  }
  push.send({encoded(nobody), good_body});
  push.send({encoded(header), good_body});
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(received, 1);
  // ZeroMQ takes bytes without its greeting for the frames of an ancient peer: more than ours.
  EXPECT_GE(dropped(*process, "malformed"), malformed);
  EXPECT_EQ(dropped(*process, "no_actor"), 1u);
}

}  // namespace
}  // namespace tidemill
