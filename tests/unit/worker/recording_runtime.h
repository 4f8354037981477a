// A Runtime that goes on to another one, and keeps what was asked of the blocking pool.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "shared/runtime/runtime.h"

namespace tidemill::test {

class RecordingRuntime : public Runtime {
 public:
  struct Blocking {
    uint64_t lane = 0;
    Urgency urgency = Urgency::kNow;
    friend bool operator==(const Blocking&, const Blocking&) = default;
  };

  // `to` keeps what is recorded, and outlives this.
  RecordingRuntime(Runtime& runtime, std::vector<Blocking>* to) : runtime_(runtime), to_(*to) {}

  NodeId node() const override { return runtime_.node(); }
  const std::string& endpoint() const override { return runtime_.endpoint(); }
  uint16_t shard() const override { return runtime_.shard(); }
  int64_t monotonic_us() const override { return runtime_.monotonic_us(); }
  int64_t wall_us() const override { return runtime_.wall_us(); }
  uint64_t random() override { return runtime_.random(); }
  int64_t thread_cpu_ns() const override { return runtime_.thread_cpu_ns(); }
  void connect(NodeId node, const std::string& at) override { runtime_.connect(node, at); }
  void disconnect(NodeId node) override { runtime_.disconnect(node); }
  void watch_links(ActorId actor) override { runtime_.watch_links(actor); }
  SendResult send(ActorId from, const ActorAddress& to, uint16_t type, Buffer body) override {
    return runtime_.send(from, to, type, std::move(body));
  }
  SendResult post_local(ActorId from, ActorId to, std::unique_ptr<LocalPayload> payload) override {
    return runtime_.post_local(from, to, std::move(payload));
  }
  TimerId start_timer(ActorId actor, int64_t delay_us, uint64_t token) override {
    return runtime_.start_timer(actor, delay_us, token);
  }
  void cancel_timer(TimerId timer) override { runtime_.cancel_timer(timer); }
  void run_blocking(ActorId actor, uint64_t lane, Urgency urgency, BlockingWork work) override {
    to_.push_back({lane, urgency});
    runtime_.run_blocking(actor, lane, urgency, std::move(work));
  }
  void watch_stop(ActorId actor) override { runtime_.watch_stop(actor); }
  void stop(int exit_code, const std::string& reason) override { runtime_.stop(exit_code, reason); }

 private:
  Runtime& runtime_;
  std::vector<Blocking>& to_;
};

}  // namespace tidemill::test
