// Actors for tests, which run under either runtime.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shared/runtime/runtime.h"

namespace tidemill {

// An actor made of functions.
class LambdaActor : public Actor {
 public:
  std::function<void()> on_start = [] {};
  std::function<void(Message)> on_message = [](Message) {};
  std::function<void(uint64_t)> on_token = [](uint64_t) {};

  void start() override { on_start(); }
  void receive(Message message) override { on_message(std::move(message)); }
  void on_timer(uint64_t token) override { on_token(token); }
};

struct NumberPayload : LocalPayload {
  explicit NumberPayload(uint64_t n) : number(n) {}
  uint64_t number;
};

inline uint64_t number_of(const Message& message) {
  return static_cast<const NumberPayload&>(*message.local).number;
}

// A body of `size` bytes (at least 8) that starts with `number`; the rest follows from it.
inline Buffer numbered_body(uint64_t number, size_t size = 8) {
  std::vector<uint8_t> bytes(std::max<size_t>(size, 8));
  std::memcpy(bytes.data(), &number, 8);
  for (size_t i = 8; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(number + i);
  return Buffer(std::move(bytes));
}

// The number of such a body; ~0 if any byte of it is not what it was.
inline uint64_t checked_number(const Buffer& body) {
  uint64_t number = 0;
  if (body.size() < 8 || reinterpret_cast<uintptr_t>(body.data()) % 8 != 0) return ~uint64_t{0};
  std::memcpy(&number, body.data(), 8);
  for (size_t i = 8; i < body.size(); ++i) {
    if (body.data()[i] != static_cast<uint8_t>(number + i)) return ~uint64_t{0};
  }
  return number;
}

// Answers every message with its own body.
class Echo : public Actor {
 public:
  Echo(Runtime& runtime, ActorId self) : runtime_(runtime), self_(self) {}
  void receive(Message message) override {
    runtime_.send(self_, message.from, static_cast<uint16_t>(message.type + 1), message.body);
  }
  void on_timer(uint64_t) override {}

 private:
  Runtime& runtime_;
  ActorId self_;
};

struct StreamResult {
  uint64_t received = 0;      // by the receiver, in order
  uint64_t out_of_order = 0;  // numbers that were not the next one
  uint64_t acknowledged = 0;
  uint64_t told_full = 0;
};

// Sends `total` numbered messages with at most `window` unacknowledged, then stops the process.
// When it is told kFull it tries again after a timer.
class StreamSender : public Actor {
 public:
  StreamSender(Runtime& runtime, ActorId self, ActorAddress to, std::string endpoint,
               uint64_t total, uint64_t window, StreamResult* result)
      : runtime_(runtime),
        self_(self),
        to_(to),
        endpoint_(std::move(endpoint)),
        total_(total),
        window_(window),
        result_(result) {}

  void start() override {
    if (to_.node != runtime_.node()) runtime_.connect(to_.node, endpoint_);
    fill();
  }
  void receive(Message message) override {
    result_->acknowledged = checked_number(message.body);
    if (result_->acknowledged == total_) return runtime_.stop(0, "all acknowledged");
    fill();
  }
  void on_timer(uint64_t) override {
    waiting_ = false;
    fill();
  }

 private:
  static size_t size_of(uint64_t number) {
    return number % 1000 == 0 ? 100'000 : 8 + number * 7 % 3000;
  }
  void fill() {
    while (!waiting_ && next_ < total_ && next_ - result_->acknowledged < window_) {
      const SendResult sent = runtime_.send(self_, to_, 7, numbered_body(next_, size_of(next_)));
      if (sent == SendResult::kAccepted) {
        ++next_;
        continue;
      }
      ++result_->told_full;
      waiting_ = true;
      runtime_.start_timer(self_, 200, 0);
    }
  }

  Runtime& runtime_;
  ActorId self_;
  ActorAddress to_;
  std::string endpoint_;
  uint64_t total_;
  uint64_t window_;
  StreamResult* result_;
  uint64_t next_ = 0;
  bool waiting_ = false;
};

// Counts numbered messages and acknowledges every `every` of them by how many there were.
class StreamReceiver : public Actor {
 public:
  StreamReceiver(Runtime& runtime, ActorId self, std::string sender_endpoint, uint64_t every,
                 StreamResult* result)
      : runtime_(runtime),
        self_(self),
        sender_endpoint_(std::move(sender_endpoint)),
        every_(every),
        result_(result) {}

  void receive(Message message) override {
    if (checked_number(message.body) != result_->received) {
      ++result_->out_of_order;
      return;
    }
    ++result_->received;
    if (result_->received % every_ != 0) return;
    if (message.from.node != runtime_.node()) {
      runtime_.connect(message.from.node, sender_endpoint_);
    }
    runtime_.send(self_, message.from, 8, numbered_body(result_->received));
  }
  void on_timer(uint64_t) override {}

 private:
  Runtime& runtime_;
  ActorId self_;
  std::string sender_endpoint_;
  uint64_t every_;
  StreamResult* result_;
};

}  // namespace tidemill
