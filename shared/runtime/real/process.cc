#include <signal.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <limits>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "shared/obs/log.h"
#include "shared/runtime/real/clock.h"
#include "shared/runtime/real/real_process.h"
#include "shared/runtime/real/shard.h"

namespace tidemill {
namespace asio = boost::asio;

namespace {

uint64_t random_from_system() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) | device();
}

// 0 means "none" and 1 is the coordinator's.
NodeId random_node() {
  for (;;) {
    const uint64_t id = random_from_system();
    if (id > 1) return NodeId{id};
  }
}

class RealProcessImpl : public RealProcess, public ProcessCore {
 public:
  explicit RealProcessImpl(const RealProcessConfig& config)
      : config_(config),
        node_(config.node.value != 0 ? config.node : random_node()),
        metrics_(config.metrics != nullptr ? *config.metrics : own_metrics_),
        probe_(metrics_) {}

  ~RealProcessImpl() override {
    if (pool_ != nullptr) pool_->stop(std::numeric_limits<int64_t>::max());
    for (const auto& shard : shards_) shard->stop();
    shards_.clear();  // actors may use the network until the end
    if (network_ != nullptr) network_->stop();
  }

  Status open() {
    auto network = Network::create(
        {node_, config_.aliases, config_.listen, config_.advertise_host, config_.link_messages_max,
         config_.link_bytes_max, config_.message_bytes_max},
        probe_);
    if (!network.ok()) return network.error();
    network_ = std::move(*network);
    if (config_.handle_signals) {
      signals_.add(SIGTERM);
      signals_.add(SIGINT);
      await_signal();
    }
    for (uint16_t i = 0; i < config_.shards; ++i) {
      shards_.push_back(std::make_unique<Shard>(*this, i, random_from_system()));
    }
    pool_ = std::make_unique<BlockingPool>(config_.blocking_threads, config_.background_threads);
    return {};
  }

  NodeId node() const override { return node_; }
  const std::string& endpoint() const override { return network_->endpoint(); }
  MetricsRegistry& metrics() override { return metrics_; }
  const RealProcessConfig& config() const override { return config_; }
  RuntimeProbe& probe() override { return probe_; }
  Network& network() override { return *network_; }
  BlockingPool& pool() override { return *pool_; }
  uint16_t shards() const override { return config_.shards; }

  asio::io_context& loop(uint16_t shard) override { return shards_.at(shard)->loop(); }

  void spawn(ActorId id, ActorFactory factory, size_t mailbox_limit) override {
    ASSERT(!ran_ && id.shard < shards_.size());
    shards_[id.shard]->spawn(id, factory, mailbox_limit);
  }

  int run() override;

  void stop(int exit_code, const std::string& reason) override {
    int expected = kRunning;
    if (!exit_code_.compare_exchange_strong(expected, exit_code)) return;
    log_event(exit_code == 0 ? LogLevel::kInfo : LogLevel::kWarning, "process_stopping",
              {{"exit_code", exit_code}, {"reason", reason}});
    asio::post(io_, [this] { io_.stop(); });
  }

  void watch_links(ActorId actor) override {
    network_->watch_links();
    const std::lock_guard lock(watchers_mutex_);
    link_watchers_.push_back(actor);
  }
  void watch_stop(ActorId actor) override {
    const std::lock_guard lock(watchers_mutex_);
    stop_watcher_ = actor;
  }

  SendResult post(ActorId to, Message message) override {
    if (to.shard >= shards_.size()) return SendResult::kClosed;
    const SendResult result = shards_[to.shard]->post(to.index, std::move(message), true);
    if (result == SendResult::kFull) probe_.refused_mailbox_full.add();
    return result;
  }

  SendResult post_from_outside(ActorId to, std::unique_ptr<LocalPayload> payload) override {
    return post(to, Message{{node_, kOutsideActor}, 0, Buffer(), std::move(payload)});
  }

 private:
  static constexpr int kRunning = std::numeric_limits<int>::min();

  void await_signal();
  void on_signal(const std::string& signal);
  void deliver(ActorId to, Message message);
  void tell_link_broke(NodeId node);
  void shut_down(std::vector<std::thread>& threads, std::vector<std::future<void>>& ended);

  const RealProcessConfig config_;
  const NodeId node_;
  MetricsRegistry own_metrics_;
  MetricsRegistry& metrics_;
  RuntimeProbe probe_;
  asio::io_context io_;  // signals and stop; the thread that calls run()
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io_.get_executor()};
  asio::signal_set signals_{io_};
  asio::steady_timer grace_{io_};  // of the actor that watches stops
  bool stop_asked_ = false;
  std::atomic<int> exit_code_{kRunning};
  std::mutex watchers_mutex_;
  std::vector<ActorId> link_watchers_;   // under watchers_mutex_
  std::optional<ActorId> stop_watcher_;  // under watchers_mutex_
  bool ran_ = false;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<BlockingPool> pool_;
};

void RealProcessImpl::await_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int signal) {
    if (!error) on_signal(signal == SIGTERM ? "SIGTERM" : "SIGINT");
  });
}

// The second signal stops at once, as does one that nobody watches.
void RealProcessImpl::on_signal(const std::string& signal) {
  std::optional<ActorId> watcher;
  {
    const std::lock_guard lock(watchers_mutex_);
    watcher = stop_watcher_;
  }
  if (!watcher || std::exchange(stop_asked_, true)) return stop(0, signal);
  if (post_from_outside(*watcher, std::make_unique<StopAsked>(signal)) != SendResult::kAccepted) {
    return stop(0, signal);
  }
  grace_.expires_after(std::chrono::milliseconds(config_.stop_grace_ms));
  grace_.async_wait([this, signal](const boost::system::error_code& error) {
    if (!error) stop(0, signal);
  });
  await_signal();
}

void RealProcessImpl::tell_link_broke(NodeId node) {
  std::vector<ActorId> watchers;
  {
    const std::lock_guard lock(watchers_mutex_);
    watchers = link_watchers_;
  }
  for (const ActorId actor : watchers) {
    post(actor, Message{{node_, actor}, 0, Buffer(), std::make_unique<LinkBroken>(node)});
  }
}

// From the network: nobody can be told, so what does not fit is counted.
void RealProcessImpl::deliver(ActorId to, Message message) {
  const SendResult result = to.shard < shards_.size()
                                ? shards_[to.shard]->post(to.index, std::move(message), true)
                                : SendResult::kClosed;
  if (result == SendResult::kFull) probe_.dropped_mailbox_full.add();
  if (result == SendResult::kClosed) probe_.dropped_no_actor.add();
}

int RealProcessImpl::run() {
  ASSERT(!ran_);
  ran_ = true;
  std::vector<std::thread> threads;
  std::vector<std::future<void>> ended;
  for (const auto& shard : shards_) {
    std::packaged_task<void()> task([&shard] { shard->run(); });
    ended.push_back(task.get_future());
    threads.emplace_back(std::move(task));
  }
  network_->start([this](ActorId to, Message message) { deliver(to, std::move(message)); },
                  [this](NodeId node) { tell_link_broke(node); });
  io_.run();
  shut_down(threads, ended);
  return exit_code_.load();
}

// Blocking work first: it may use what the actors own. Then the actors, then the network.
void RealProcessImpl::shut_down(std::vector<std::thread>& threads,
                                std::vector<std::future<void>>& ended) {
  const int64_t deadline_us = real_monotonic_us() + config_.stop_deadline_ms * int64_t{1000};
  bool in_time = pool_->stop(deadline_us);
  for (const auto& shard : shards_) shard->stop();
  const auto deadline =
      std::chrono::steady_clock::time_point(std::chrono::microseconds(deadline_us));
  for (auto& end : ended) {
    in_time = end.wait_until(deadline) == std::future_status::ready && in_time;
  }
  if (!in_time) {
    log_event(LogLevel::kError, "stop_deadline_passed",
              {{"deadline_ms", config_.stop_deadline_ms}});
    std::_Exit(exit_code_.load() != 0 ? exit_code_.load() : 1);
  }
  for (std::thread& thread : threads) thread.join();
  network_->stop();
}

}  // namespace

Result<std::unique_ptr<RealProcess>> RealProcess::create(const RealProcessConfig& config) {
  if (config.shards == 0 || config.blocking_threads == 0 || config.background_threads == 0 ||
      config.messages_per_turn == 0) {
    return user_error(
        "a process needs at least one shard, one blocking thread and one message "
        "per turn");
  }
  auto process = std::make_unique<RealProcessImpl>(config);
  const Status opened = process->open();
  if (!opened.ok()) return opened.error();
  return std::unique_ptr<RealProcess>(std::move(process));
}

}  // namespace tidemill
