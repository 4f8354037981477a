#include "shared/runtime/real/shard.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "shared/base/memory_account.h"
#include "shared/runtime/aligned_body.h"
#include "shared/runtime/real/clock.h"

namespace tidemill {
namespace asio = boost::asio;

namespace {

constexpr int kTimersPerTurn = 256;
// For so long actors take turns before the loop looks at what else there is. A read goes through
// three of them, each of which takes microseconds: less than asking the kernel in between.
constexpr int64_t kRoundsUs = 500;

thread_local const Shard* current_shard = nullptr;

}  // namespace

class ShardLoop {
 public:
  asio::io_context io;
  asio::steady_timer timer{io};
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
};

Shard::Shard(ProcessCore& core, uint16_t index, uint64_t seed)
    : core_(core), index_(index), random_(seed), loop_(std::make_unique<ShardLoop>()) {}

Shard::~Shard() { destroy_actors(); }

void Shard::spawn(ActorId id, const ActorFactory& factory, size_t mailbox_limit) {
  if (slots_.size() <= id.index) slots_.resize(size_t{id.index} + 1);
  ASSERT(slots_[id.index] == nullptr);
  auto slot = std::make_unique<ActorSlot>();
  slot->id = id;
  slot->messages_max = mailbox_limit;
  slots_[id.index] = std::move(slot);
  spawned_.push_back(id);
  slots_[id.index]->actor = factory(*this);
  ASSERT(slots_[id.index]->actor != nullptr);
}

void Shard::run() {
  current_shard = this;
  for (const ActorId id : spawned_) {
    if (!stopping_.load()) slots_[id.index]->actor->start();
  }
  loop_->io.run();
  stopping_.store(true);
  destroy_actors();
  current_shard = nullptr;
}

void Shard::destroy_actors() {
  for (auto it = spawned_.rbegin(); it != spawned_.rend(); ++it) {
    slots_[it->index]->actor.reset();
    slots_[it->index]->mailbox.clear();
    const auto left = static_cast<int64_t>(slots_[it->index]->bytes.exchange(0));
    MemoryAccount::add(MemoryConsumer::kNetwork, -left);
  }
}

boost::asio::io_context& Shard::loop() { return loop_->io; }

void Shard::stop() {
  stopping_.store(true);
  loop_->io.stop();
}

bool Shard::reserve(ActorSlot& slot, size_t bytes, bool bounded) {
  const size_t messages_before = slot.messages.fetch_add(1, std::memory_order_relaxed);
  const size_t bytes_before = slot.bytes.fetch_add(bytes, std::memory_order_relaxed);
  // A single message larger than the limit may enter an empty mailbox.
  const bool fits = messages_before < slot.messages_max &&
                    (bytes_before == 0 || bytes_before + bytes <= core_.config().mailbox_bytes_max);
  if (fits || !bounded) {
    MemoryAccount::add(MemoryConsumer::kNetwork, static_cast<int64_t>(bytes));
    return true;
  }
  slot.messages.fetch_sub(1, std::memory_order_relaxed);
  slot.bytes.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

SendResult Shard::post(uint16_t index, Message message, bool bounded) {
  if (stopping_.load(std::memory_order_relaxed)) return SendResult::kClosed;
  if (index >= slots_.size() || slots_[index] == nullptr) return SendResult::kClosed;
  ActorSlot& slot = *slots_[index];
  if (!reserve(slot, message.body.size(), bounded)) return SendResult::kFull;
  if (current_shard == this) {
    put(slot, std::move(message));
    return SendResult::kAccepted;
  }
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back({&slot, std::move(message)});
    wake = !std::exchange(inbox_scheduled_, true);
  }
  if (wake) asio::post(loop_->io, [this] { take_inbox(); });
  return SendResult::kAccepted;
}

void Shard::take_inbox() {
  std::vector<Incoming> incoming;
  {
    const std::lock_guard lock(mutex_);
    incoming.swap(inbox_);
    inbox_scheduled_ = false;
  }
  for (Incoming& in : incoming) put(*in.slot, std::move(in.message));
}

void Shard::put(ActorSlot& slot, Message message) {
  slot.mailbox.push(std::move(message));
  if (!std::exchange(slot.is_ready, true)) {
    ready_.push_back(&slot);
    schedule_turns();
  }
}

void Shard::schedule_turns() {
  if (std::exchange(turns_scheduled_, true)) return;
  asio::post(loop_->io, [this] { take_turns(); });
}

void Shard::take_turns() {
  const int64_t ends_us = real_monotonic_us() + kRoundsUs;
  do {
    round_.swap(ready_);
    for (ActorSlot* slot : round_) {
      take_turn(*slot);
      slot->is_ready = !slot->mailbox.empty();
      if (slot->is_ready) ready_.push_back(slot);
    }
    round_.clear();
  } while (!ready_.empty() && !stopping_.load(std::memory_order_relaxed) &&
           real_monotonic_us() < ends_us);
  turns_scheduled_ = false;
  if (!ready_.empty()) schedule_turns();
}

void Shard::take_turn(ActorSlot& slot) {
  const int64_t ends_us = real_monotonic_us() + core_.config().turn_us;
  for (uint32_t i = 0; i < core_.config().messages_per_turn && !slot.mailbox.empty(); ++i) {
    if (stopping_.load(std::memory_order_relaxed)) return;
    Message message = slot.mailbox.pop();
    slot.messages.fetch_sub(1, std::memory_order_relaxed);
    slot.bytes.fetch_sub(message.body.size(), std::memory_order_relaxed);
    MemoryAccount::add(MemoryConsumer::kNetwork, -static_cast<int64_t>(message.body.size()));
    slot.actor->receive(std::move(message));
    // Large messages take milliseconds each: heartbeats and reads do not wait for many of them.
    if (real_monotonic_us() >= ends_us) return;
  }
}

int64_t Shard::monotonic_us() const { return real_monotonic_us(); }

int64_t Shard::thread_cpu_ns() const { return real_thread_cpu_ns(); }
int64_t Shard::wall_us() const { return real_wall_us(); }

void Shard::connect(NodeId node, const std::string& endpoint) {
  if (link_to(node) == nullptr) core_.network().connect(node, endpoint);
}

void Shard::disconnect(NodeId node) {
  links_.erase(node);
  core_.network().disconnect(node);
}

NetworkLink* Shard::link_to(NodeId node) {
  auto it = links_.find(node);
  if (it != links_.end() && it->second->closed.load(std::memory_order_relaxed)) {
    links_.erase(it);
    it = links_.end();
  }
  if (it == links_.end()) {
    auto link = core_.network().find(node);
    if (link == nullptr || link->closed.load()) return nullptr;
    it = links_.emplace(node, std::move(link)).first;
  }
  return it->second.get();
}

SendResult Shard::send(ActorId from, const ActorAddress& to, uint16_t type, Buffer body) {
  const ActorAddress sender{core_.node(), from};
  if (to.node == core_.node()) {
    return core_.post(to.actor, Message{sender, type, aligned_body(std::move(body)), nullptr});
  }
  if (link_to(to.node) == nullptr) return SendResult::kClosed;
  const uint64_t body_bytes = body.size();
  return core_.network().send(links_.at(to.node), WireHeader{sender, to, type, body_bytes},
                              std::move(body));
}

SendResult Shard::post_local(ActorId from, ActorId to, std::unique_ptr<LocalPayload> payload) {
  return core_.post(to, Message{{core_.node(), from}, 0, Buffer(), std::move(payload)});
}

TimerId Shard::start_timer(ActorId actor, int64_t delay_us, uint64_t token) {
  ASSERT(actor.shard == index_ && actor.index < slots_.size() && slots_[actor.index] != nullptr);
  const TimerId id =
      timers_.start(real_monotonic_us() + std::max<int64_t>(delay_us, 0), actor, token);
  arm_timer();
  return id;
}

void Shard::cancel_timer(TimerId timer) { timers_.cancel(timer); }

void Shard::arm_timer() {
  const auto due = timers_.next_due_us();
  if (!due.has_value() || (armed_us_ != 0 && armed_us_ <= *due)) return;
  armed_us_ = *due;
  loop_->timer.expires_at(std::chrono::steady_clock::time_point(std::chrono::microseconds(*due)));
  loop_->timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // armed anew for an earlier time
    armed_us_ = 0;
    fire_timers();
  });
}

void Shard::fire_timers() {
  const int64_t now_us = real_monotonic_us();
  for (int i = 0; i < kTimersPerTurn && !stopping_.load(std::memory_order_relaxed); ++i) {
    const auto timer = timers_.pop_due(now_us);
    if (!timer.has_value()) break;
    slots_[timer->actor.index]->actor->on_timer(timer->token);
  }
  arm_timer();
}

void Shard::run_blocking(ActorId actor, uint64_t lane, Urgency urgency, BlockingWork work) {
  ASSERT(actor.shard == index_ && actor.index < slots_.size() && slots_[actor.index] != nullptr);
  core_.pool().submit({actor, lane}, urgency, [this, actor, work = std::move(work)] {
    Message message{{core_.node(), actor}, 0, Buffer(), work()};
    post(actor.index, std::move(message), false);
  });
}

}  // namespace tidemill
