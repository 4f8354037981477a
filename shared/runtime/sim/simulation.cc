#include "shared/runtime/sim/simulation.h"

#include "shared/runtime/outside_actor.h"
#include "shared/runtime/sim/sim_world.h"

namespace tidemill {

std::string_view sim_fault_name(SimFault fault) {
  switch (fault) {
    case SimFault::kDelayed:
      return "delayed";
    case SimFault::kReordered:
      return "reordered";
    case SimFault::kDropped:
      return "dropped";
    case SimFault::kDuplicated:
      return "duplicated";
    case SimFault::kCut:
      return "cut";
    case SimFault::kOneWayCut:
      return "one_way_cut";
    case SimFault::kCrash:
      return "crash";
    case SimFault::kRestart:
      return "restart";
    case SimFault::kFreeze:
      return "freeze";
    case SimFault::kUnfreeze:
      return "unfreeze";
    case SimFault::kMailboxFull:
      return "mailbox_full";
    case SimFault::kLinkFull:
      return "link_full";
    case SimFault::kFrozenFull:
      return "frozen_full";
    case SimFault::kStaleIncarnation:
      return "stale_incarnation";
    case SimFault::kNoProcess:
      return "no_process";
    case SimFault::kNoActor:
      return "no_actor";
    case SimFault::kClockSkew:
      return "clock_skew";
    case SimFault::kTerminate:
      return "terminate";
    case SimFault::kBrokenLink:
      return "broken_link";
    case SimFault::kFalseBrokenLink:
      return "false_broken_link";
    case SimFault::kSlowBlocking:
      return "slow_blocking";
    case SimFault::kCount:
      break;
  }
  return "unknown";
}

Simulation::Simulation(uint64_t seed, SimConfig config)
    : world_(std::make_unique<SimWorld>(seed, config)) {}
Simulation::~Simulation() = default;

SimProcessId Simulation::add_process(SimProcessOptions options, SimWiring wiring) {
  const ScopedLogChannel log(&world_->log());
  return {world_->add(std::move(options), std::move(wiring))};
}

size_t Simulation::processes() const { return world_->places(); }

const std::string& Simulation::name(SimProcessId process) const {
  return world_->place(process.value).options.name;
}

int64_t Simulation::now_us() const { return world_->now_us(); }

bool Simulation::run_until(const std::function<bool()>& predicate, int64_t deadline_us) {
  const ScopedLogChannel log(&world_->log());
  for (;;) {
    if (predicate()) return true;
    if (!world_->step(deadline_us)) return predicate();
  }
}

void Simulation::run_for(int64_t duration_us) {
  const ScopedLogChannel log(&world_->log());
  const int64_t deadline_us = world_->now_us() + duration_us;
  while (world_->step(deadline_us)) {
  }
}

void Simulation::at(int64_t time_us, std::function<void()> action) {
  world_->at(time_us, std::move(action));
}

void Simulation::observe(SimObserver observer) { world_->observe(std::move(observer)); }

bool Simulation::alive(SimProcessId process) const {
  return world_->place(process.value).process != nullptr;
}

bool Simulation::frozen(SimProcessId process) const { return world_->place(process.value).frozen; }

NodeId Simulation::node(SimProcessId process) const {
  const auto& p = world_->place(process.value);
  return p.process == nullptr ? NodeId{} : p.process->identity().node;
}

Runtime& Simulation::runtime(SimProcessId process, uint16_t shard) {
  ASSERT(alive(process));
  return world_->place(process.value).process->runtime(shard);
}

Actor* Simulation::actor(SimProcessId process, ActorId id) const {
  const auto& p = world_->place(process.value);
  return p.process == nullptr ? nullptr : p.process->actor(id);
}

int Simulation::exit_code(SimProcessId process) const {
  return world_->place(process.value).exit_code;
}

SendResult Simulation::post_from_outside(SimProcessId process, ActorId to,
                                         std::unique_ptr<LocalPayload> payload) {
  const auto& p = world_->place(process.value);
  if (p.process == nullptr) return SendResult::kClosed;
  Message message{{p.process->identity().node, kOutsideActor}, 0, Buffer(), std::move(payload)};
  return p.process->post(to, std::move(message), true);
}

void Simulation::crash(SimProcessId process) {
  const ScopedLogChannel log(&world_->log());
  world_->crash(process.value);
}

void Simulation::terminate(SimProcessId process) {
  const ScopedLogChannel log(&world_->log());
  world_->terminate(process.value);
}

void Simulation::tell_link_broken(SimProcessId watcher, SimProcessId about) {
  world_->tell_link_broken(watcher.value, about.value);
}

void Simulation::restart(SimProcessId process, NodeId node) {
  const ScopedLogChannel log(&world_->log());
  world_->restart(process.value, node);
}

void Simulation::freeze(SimProcessId process) { world_->freeze(process.value); }
void Simulation::unfreeze(SimProcessId process) { world_->unfreeze(process.value); }

void Simulation::set_clock_offset(SimProcessId process, int64_t offset_us) {
  if (offset_us != 0) world_->count(SimFault::kClockSkew);
  world_->place(process.value).clock_offset_us = offset_us;
}

void Simulation::slow_blocking(SimProcessId process, int64_t delay_us_max) {
  if (delay_us_max != 0) world_->count(SimFault::kSlowBlocking);
  world_->place(process.value).blocking_delay_us_max = delay_us_max;
}

void Simulation::cut(SimProcessId a, SimProcessId b) {
  world_->network().cut({a.value, b.value}, true);
  world_->network().cut({b.value, a.value}, true);
}

void Simulation::cut_one_way(SimProcessId from, SimProcessId to) {
  world_->network().cut({from.value, to.value}, false);
}

void Simulation::heal(SimProcessId a, SimProcessId b) {
  world_->network().heal({a.value, b.value});
  world_->network().heal({b.value, a.value});
}

void Simulation::clog(SimProcessId from, SimProcessId to, int64_t until_us) {
  world_->network().clog({from.value, to.value}, until_us);
}

void Simulation::set_network(double drop, double duplicate, double reorder, int64_t delay_us_max) {
  world_->network().set_faults(drop, duplicate, reorder, delay_us_max);
}

void Simulation::heal_network() {
  world_->network().heal_all();
  for (size_t i = 0; i < world_->places(); ++i) world_->unfreeze(i);
}

const SimConfig& Simulation::config() const { return world_->config(); }
const SimFaultCounts& Simulation::faults() const { return world_->faults(); }

std::string Simulation::describe_faults() const {
  std::string out;
  for (size_t i = 0; i < faults().size(); ++i) {
    if (faults()[i] == 0) continue;
    if (!out.empty()) out.push_back(' ');
    out.append(sim_fault_name(static_cast<SimFault>(i)));
    out.append("=" + std::to_string(faults()[i]));
  }
  return out;
}

uint64_t Simulation::trace_hash() const { return world_->trace_hash(); }
uint64_t Simulation::events() const { return world_->events(); }
const std::vector<std::string>& Simulation::errors() const { return world_->errors(); }

std::vector<std::string> Simulation::log_lines() const {
  return {world_->lines().begin(), world_->lines().end()};
}

const std::map<std::string, uint64_t>& Simulation::log_counts() const {
  return world_->log_counts();
}

}  // namespace tidemill
