#include "shared/runtime/sim/sim_world.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "shared/base/hash.h"
#include "shared/runtime/aligned_body.h"

namespace tidemill {
namespace {

constexpr size_t kErrorsMax = 1000;
constexpr size_t kMessageOverheadBytes = 56;  // the wire header of the real network
constexpr int64_t kMonotonicBaseUsMax = 1'000'000'000;

uint64_t chained(uint64_t hash, std::span<const uint64_t> words) {
  return hash_bytes({reinterpret_cast<const char*>(words.data()), words.size_bytes()}, hash);
}

// The name in "level=... event=NAME ...".
std::string event_of(std::string_view line) {
  constexpr std::string_view kKey = " event=";
  const size_t at = line.find(kKey);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + kKey.size());
  return std::string(line.substr(0, line.find(' ')));
}

uint64_t packed(ActorId id) { return (uint64_t{id.shard} << 16) | id.index; }

}  // namespace

SimWorld::SimWorld(uint64_t seed, const SimConfig& config)
    : config_(config), random_(seed), network_(config_, &random_, &faults_), log_(this) {}

SimWorld::~SimWorld() {
  const ScopedLogChannel log(&log_);
  for (const auto& place : places_) place->process.reset();
}

SimWorld::Place& SimWorld::place(size_t process) {
  ASSERT(process < places_.size());
  return *places_[process];
}

int64_t SimWorld::wall_us(size_t process) const {
  return config_.start_wall_us + now_us_ + places_[process]->clock_offset_us;
}

void SimWorld::schedule(int64_t delay_us, SimEvent event) {
  queue_.push(now_us_ + delay_us, std::move(event));
}

void SimWorld::at(int64_t time_us, std::function<void()> action) {
  SimEvent event;
  event.action = std::move(action);
  queue_.push(std::max(time_us, now_us_), std::move(event));
}

// Incarnations ---------------------------------------------------------------------------------

size_t SimWorld::add(SimProcessOptions options, SimWiring wiring) {
  ASSERT(options.shards > 0 && !by_endpoint_.contains(options.endpoint));
  const size_t process = places_.size();
  by_endpoint_[options.endpoint] = process;
  auto place = std::make_unique<Place>();
  place->options = std::move(options);
  place->wiring = std::move(wiring);
  place->monotonic_base_us = random_.between(1, kMonotonicBaseUsMax);
  places_.push_back(std::move(place));
  start(process, NodeId{});
  return process;
}

void SimWorld::start(size_t process, NodeId node) {
  Place& p = place(process);
  if (node.value == 0) node = p.options.node;
  if (node.value == 0) {
    while (node.value <= 1) node = NodeId{random_.next()};  // 1 is the coordinator's
  }
  ++p.incarnation;
  p.exit_code = -1;
  p.process = std::make_unique<SimProcess>(
      *this,
      SimProcessIdentity{process, p.incarnation, node, p.options.endpoint, p.options.shards,
                         p.monotonic_base_us},
      random_.next());
  // Scheduled before anything that constructors of actors may send.
  SimEvent event;
  event.kind = SimEventKind::kStart;
  event.process = process;
  event.incarnation = p.incarnation;
  schedule(0, std::move(event));
  running_ = &p;
  p.wiring(*p.process);
  running_ = nullptr;
  if (p.ends) end(process);
}

void SimWorld::end(size_t process) {
  Place& p = place(process);
  p.ends = false;
  p.frozen = false;
  p.frozen_messages = 0;
  // What had reached it is gone with it.
  for (const SimEvent& event : p.deferred) {
    if (event.kind == SimEventKind::kNetworkArrival) {
      network_.arrived({event.link_from, process},
                       event.message.body.size() + kMessageOverheadBytes);
    }
  }
  p.deferred.clear();
  const NodeId node = p.process->identity().node;
  p.process.reset();
  schedule_broken_links(process, node);
}

// Connections end with their process, and nobody is there to take new ones.
void SimWorld::schedule_broken_links(size_t process, NodeId node) {
  for (size_t i = 0; i < places_.size(); ++i) {
    const Place& watcher = place(i);
    if (watcher.process == nullptr || !watcher.process->watches_link_to(node)) continue;
    SimEvent event;
    event.kind = SimEventKind::kLinkBroken;
    event.process = i;
    event.incarnation = watcher.incarnation;
    event.link_from = process;
    event.to_node = node;
    schedule(random_.between(config_.broken_link_delay_us_min, config_.broken_link_delay_us_max),
             std::move(event));
  }
}

void SimWorld::arrive_broken_link(const SimEvent& event) {
  if (!network_.connects(event.process, event.link_from)) return;
  if (place(event.link_from).process != nullptr) return;  // connected anew
  count(SimFault::kBrokenLink);
  place(event.process).process->tell_link_broken(event.to_node);
}

void SimWorld::tell_link_broken(size_t watcher, size_t about) {
  Place& p = place(watcher);
  const Place& other = place(about);
  if (p.process == nullptr || p.frozen || other.process == nullptr) return;
  const NodeId node = other.process->identity().node;
  if (!p.process->watches_link_to(node)) return;
  count(SimFault::kFalseBrokenLink);
  p.process->tell_link_broken(node);
}

void SimWorld::stop_process(size_t process, int exit_code, const std::string& reason) {
  Place& p = place(process);
  if (p.ends) return;
  log_event(exit_code == 0 ? LogLevel::kInfo : LogLevel::kWarning, "process_stopping",
            {{"exit_code", exit_code}, {"reason", reason}});
  p.exit_code = exit_code;
  p.ends = true;
  if (running_ != &p) end(process);
}

void SimWorld::crash(size_t process) {
  Place& p = place(process);
  if (p.process == nullptr) return;
  count(SimFault::kCrash);
  p.ends = true;
  if (running_ != &p) end(process);
}

void SimWorld::terminate(size_t process) {
  Place& p = place(process);
  if (p.process == nullptr) return;
  count(SimFault::kTerminate);
  if (!p.process->ask_to_stop("SIGTERM")) return stop_process(process, 0, "SIGTERM");
  at(now_us_ + config_.stop_grace_us, [this, process, incarnation = p.incarnation] {
    Place& late = place(process);
    if (late.process == nullptr || late.incarnation != incarnation || late.frozen) return;
    stop_process(process, 0, "SIGTERM");
  });
}

void SimWorld::restart(size_t process, NodeId node) {
  Place& p = place(process);
  ASSERT(running_ == nullptr && p.process == nullptr);
  count(SimFault::kRestart);
  start(process, node);
}

void SimWorld::freeze(size_t process) {
  Place& p = place(process);
  if (p.process == nullptr || p.frozen) return;
  count(SimFault::kFreeze);
  p.frozen = true;
}

void SimWorld::unfreeze(size_t process) {
  Place& p = place(process);
  if (!p.frozen) return;
  count(SimFault::kUnfreeze);
  p.frozen = false;
  p.frozen_messages = 0;
  for (SimEvent& event : p.deferred) schedule(0, std::move(event));
  p.deferred.clear();
}

// Events ---------------------------------------------------------------------------------------

bool SimWorld::step(int64_t deadline_us) {
  if (queue_.empty() || queue_.next_time_us() > deadline_us) {
    now_us_ = std::max(now_us_, deadline_us);
    return false;
  }
  now_us_ = std::max(now_us_, queue_.next_time_us());
  ++events_;
  dispatch(queue_.pop());
  return true;
}

void SimWorld::dispatch(SimEvent event) {
  if (event.kind == SimEventKind::kAction) {
    event.action();
    return;
  }
  Place& p = place(event.process);
  const bool is_current = p.process != nullptr && event.incarnation == p.incarnation;
  if (is_current && p.frozen) {
    defer(p, std::move(event));
    return;
  }
  if (event.kind == SimEventKind::kNetworkArrival) {
    arrive(std::move(event));
  } else if (is_current) {
    run_in_process(std::move(event));
  }
}

void SimWorld::defer(Place& p, SimEvent event) {
  if (event.kind == SimEventKind::kNetworkArrival) {
    if (p.frozen_messages >= config_.frozen_messages_max) {
      count(SimFault::kFrozenFull);
      network_.arrived({event.link_from, event.process},
                       event.message.body.size() + kMessageOverheadBytes);
      return;
    }
    ++p.frozen_messages;
  }
  p.deferred.push_back(std::move(event));
}

void SimWorld::run_in_process(SimEvent event) {
  const size_t process = event.process;
  Place& p = place(process);
  running_ = &p;
  switch (event.kind) {
    case SimEventKind::kStart:
      p.process->start_actors();
      break;
    case SimEventKind::kLocalArrival:
      p.process->arrive_local(std::move(event));
      break;
    case SimEventKind::kTurn:
      p.process->take_turn(event.actor);
      break;
    case SimEventKind::kTimer:
      p.process->fire_timer(event);
      break;
    case SimEventKind::kBlockingRun:
      p.process->run_lane(event.actor, event.number);
      break;
    case SimEventKind::kBlockingDone:
      p.process->finish_lane(std::move(event));
      break;
    case SimEventKind::kLinkBroken:
      arrive_broken_link(event);
      break;
    case SimEventKind::kNetworkArrival:
    case SimEventKind::kAction:
      ASSERT(false);
  }
  running_ = nullptr;
  if (p.ends) end(process);
}

// Network --------------------------------------------------------------------------------------

SendResult SimWorld::send(size_t from_process, const std::string& endpoint,
                          const ActorAddress& from, const ActorAddress& to, uint16_t type,
                          const Buffer& body) {
  const auto target = by_endpoint_.find(endpoint);
  if (target == by_endpoint_.end()) {
    count(SimFault::kNoProcess);
    return SendResult::kAccepted;
  }
  const size_t bytes = body.size() + kMessageOverheadBytes;
  const SimNetwork::Fate fate = network_.send({from_process, target->second}, bytes, now_us_);
  if (fate.full) return SendResult::kFull;
  const Place& p = place(target->second);
  for (int i = 0; i < fate.arrivals; ++i) {
    SimEvent event;
    event.kind = SimEventKind::kNetworkArrival;
    event.process = target->second;
    // A process that is down may be up again when the message arrives.
    event.incarnation = p.process != nullptr ? p.incarnation : p.incarnation + 1;
    event.actor = to.actor;
    event.link_from = from_process;
    event.to_node = to.node;
    // Fresh memory: what the sender still holds is nothing to the receiver.
    event.message = Message{from, type, copied_body(body.bytes()), nullptr};
    queue_.push(fate.arrival_us[i], std::move(event));
  }
  return SendResult::kAccepted;
}

void SimWorld::arrive(SimEvent event) {
  const SimLinkId link{event.link_from, event.process};
  network_.arrived(link, event.message.body.size() + kMessageOverheadBytes);
  Place& p = place(event.process);
  if (!network_.lets_through(link)) return;
  if (p.process == nullptr) {
    count(SimFault::kNoProcess);
    return;
  }
  if (event.incarnation != p.incarnation || !p.is_known_as(event.to_node)) {
    count(SimFault::kStaleIncarnation);
    return;
  }
  running_ = &p;
  const auto arrival = p.process->arrive_from_network(std::move(event));
  running_ = nullptr;
  if (arrival == SimProcess::Arrival::kFull) count(SimFault::kMailboxFull);
  if (arrival == SimProcess::Arrival::kNoActor) count(SimFault::kNoActor);
}

// Trace and log --------------------------------------------------------------------------------

void SimWorld::trace(const ActorAddress& from, const ActorAddress& to, uint16_t type,
                     const Buffer& body) {
  const std::array<uint64_t, 7> words{static_cast<uint64_t>(now_us_),
                                      from.node.value,
                                      packed(from.actor),
                                      to.node.value,
                                      packed(to.actor),
                                      type,
                                      hash_bytes(body.view(), 0)};
  trace_hash_ = chained(trace_hash_, words);
}

void SimWorld::trace_timer(const ActorAddress& actor, uint64_t token) {
  const std::array<uint64_t, 4> words{static_cast<uint64_t>(now_us_), actor.node.value,
                                      packed(actor.actor), token};
  trace_hash_ = chained(trace_hash_, words);
}

void SimWorld::write(LogLevel level, std::string_view line) {
  ++log_counts_[event_of(line)];
  std::string text = "t_us=" + std::to_string(now_us_) + " process=" +
                     (running_ != nullptr ? running_->options.name : std::string("none")) + " " +
                     std::string(line);
  if (config_.print_log) std::fprintf(stderr, "%s\n", text.c_str());
  if (level == LogLevel::kError && errors_.size() < kErrorsMax) errors_.push_back(text);
  lines_.push_back(std::move(text));
  if (lines_.size() > config_.log_lines_max) lines_.pop_front();
}

}  // namespace tidemill
