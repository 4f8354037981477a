#include "shared/wire/held_acks.h"

#include <gtest/gtest.h>

#include "shared/runtime/sim/simulation.h"

namespace tidemill {
namespace {

constexpr NodeId kSenderNode{1};
constexpr NodeId kReceiverNode{2};
constexpr ActorId kActor{0, 5};
constexpr int64_t kIntervalUs = 1'000'000;

class Collector : public Actor {
 public:
  void receive(Message message) override { got.emplace_back(message.body.view()); }
  void on_timer(uint64_t) override {}
  std::vector<std::string> got;
};

class HeldAcksTest : public testing::Test {
 protected:
  HeldAcksTest() {
    const auto spawn = [](ProcessHost& h) {
      h.spawn(kActor, [](Runtime&) { return std::make_unique<Collector>(); });
    };
    sender_ = sim_.add_process({"sender", "sim://s", kSenderNode, 1}, spawn);
    receiver_ = sim_.add_process({"receiver", "sim://r", kReceiverNode, 1}, spawn);
    sim_.runtime(receiver_).connect(kSenderNode, "sim://s");
    acks_.emplace(sim_.runtime(receiver_), kActor, kIntervalUs);
    sim_.run_for(2 * kIntervalUs);
  }
  void add(uint64_t link, const std::string& text) {
    acks_->add({kSenderNode, kActor}, link, 23, Buffer(text));
  }
  // What has come since the last time.
  std::vector<std::string> came(bool hold) {
    acks_->send(hold);
    sim_.run_for(50'000);
    return std::exchange(static_cast<Collector*>(sim_.actor(sender_, kActor))->got, {});
  }
  using Texts = std::vector<std::string>;

  Simulation sim_{3};
  SimProcessId sender_, receiver_;
  std::optional<HeldAcks> acks_;
};

TEST_F(HeldAcksTest, GoAtOnceWhileThereIsRoom) {
  add(1, "a");
  add(1, "b");
  EXPECT_EQ(came(false), (Texts{"a", "b"}));
  EXPECT_EQ(came(false), Texts{});
}

TEST_F(HeldAcksTest, WaitInTheirOrderUntilThereIsRoomAgain) {
  add(1, "a");
  EXPECT_EQ(came(false), Texts{"a"});
  add(1, "b");
  add(1, "c");
  EXPECT_EQ(came(true), Texts{});
  EXPECT_EQ(came(false), (Texts{"b", "c"}));
}

TEST_F(HeldAcksTest, OneOfEachLinkGoesNowAndThenAllTheSame) {
  add(1, "a");
  add(2, "x");
  EXPECT_EQ(came(false), (Texts{"a", "x"}));
  for (const char* text : {"b", "c"}) add(1, text);
  add(2, "y");
  EXPECT_EQ(came(true), Texts{});
  sim_.run_for(kIntervalUs);
  EXPECT_EQ(came(true), (Texts{"b", "y"}));
  EXPECT_EQ(came(true), Texts{});
  sim_.run_for(kIntervalUs);
  EXPECT_EQ(came(true), Texts{"c"});
}

}  // namespace
}  // namespace tidemill
