#include "shared/runtime/sim/fault_plan.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

namespace tidemill {
namespace {

std::string_view kind_name(FaultKind kind) {
  switch (kind) {
    case FaultKind::kCutLink:
      return "cut_link";
    case FaultKind::kCutOneWay:
      return "cut_one_way";
    case FaultKind::kClogLink:
      return "clog_link";
    case FaultKind::kNetworkPhase:
      return "network_phase";
    case FaultKind::kFreeze:
      return "freeze";
    case FaultKind::kCrash:
      return "crash";
    case FaultKind::kClockJump:
      break;
  }
  return "clock_jump";
}

bool strikes_link(FaultKind kind) {
  return kind == FaultKind::kCutLink || kind == FaultKind::kCutOneWay ||
         kind == FaultKind::kClogLink;
}

// Draws the faults of one plan.
class Draw {
 public:
  Draw(uint64_t seed, size_t processes, const FaultPlanConfig& config)
      : random_(seed), processes_(processes), config_(config), victims_(config.victims) {
    for (size_t i = 0; victims_.size() < processes && config.victims.empty(); ++i) {
      victims_.push_back({i});
    }
  }

  void add(FaultKind kind, int how_many) {
    for (int i = 0; i < how_many; ++i) {
      if (strikes_link(kind) ? processes_ < 2 : victims_.empty()) return;
      faults_.push_back(draw(kind));
    }
  }

  std::vector<Fault> take() {
    std::stable_sort(faults_.begin(), faults_.end(),
                     [](const Fault& a, const Fault& b) { return a.at_us < b.at_us; });
    return std::move(faults_);
  }

 private:
  Fault draw(FaultKind kind) {
    Fault f;
    f.kind = kind;
    const int64_t longest = std::min(config_.fault_us_max, config_.span_us);
    f.duration_us = random_.between(std::min(config_.fault_us_min, longest), longest);
    f.at_us = config_.start_us + random_.between(0, config_.span_us - f.duration_us);
    if (strikes_link(kind)) {
      f.a.value = random_.below(processes_);
      f.b.value = (f.a.value + 1 + random_.below(processes_ - 1)) % processes_;
    } else if (kind == FaultKind::kNetworkPhase) {
      f.drop = random_.unit() * config_.drop_max;
      f.duplicate = random_.unit() * config_.duplicate_max;
      f.reorder = random_.unit() * config_.reorder_max;
      f.amount_us = random_.between(1, std::max<int64_t>(config_.delay_us_max, 1));
    } else {
      f.a = victims_[random_.below(victims_.size())];
    }
    if (kind == FaultKind::kClockJump) {
      f.amount_us = random_.between(-config_.clock_jump_us_max, config_.clock_jump_us_max);
    }
    return f;
  }

  Random random_;
  const size_t processes_;
  const FaultPlanConfig& config_;
  std::vector<SimProcessId> victims_;
  std::vector<Fault> faults_;
};

// Makes the faults of one plan happen; shared by the actions it has scheduled.
class Driver {
 public:
  Driver(Simulation& sim, FaultCallbacks callbacks) : sim_(sim), callbacks_(std::move(callbacks)) {}

  void begin(const Fault& f) {
    if (callbacks_.fired) callbacks_.fired(f);
    switch (f.kind) {
      case FaultKind::kCutLink:
        return sim_.cut(f.a, f.b);
      case FaultKind::kCutOneWay:
        return sim_.cut_one_way(f.a, f.b);
      case FaultKind::kClogLink:
        return sim_.clog(f.a, f.b, f.at_us + f.duration_us);
      case FaultKind::kNetworkPhase:
        return sim_.set_network(f.drop, f.duplicate, f.reorder, f.amount_us);
      case FaultKind::kFreeze:
        return sim_.freeze(f.a);
      case FaultKind::kCrash:
        return crash(f.a);
      case FaultKind::kClockJump:
        return sim_.set_clock_offset(f.a, f.amount_us);
    }
  }

  void end(const Fault& f) {
    switch (f.kind) {
      case FaultKind::kCutLink:
      case FaultKind::kCutOneWay:
        return sim_.heal(f.a, f.b);
      case FaultKind::kClogLink:
        return;  // ends by itself
      case FaultKind::kNetworkPhase: {
        const SimConfig& c = sim_.config();
        return sim_.set_network(c.drop_probability, c.duplicate_probability, c.reorder_probability,
                                c.network_delay_us_max);
      }
      case FaultKind::kFreeze:
        return sim_.unfreeze(f.a);
      case FaultKind::kCrash:
        return restart(f.a);
      case FaultKind::kClockJump:
        return sim_.set_clock_offset(f.a, 0);
    }
  }

  void end_all() {
    sim_.heal_network();
    const std::set<SimProcessId> down = down_;
    for (const SimProcessId process : down) restart(process);
    for (size_t i = 0; i < sim_.processes(); ++i) sim_.set_clock_offset({i}, 0);
  }

 private:
  void crash(SimProcessId process) {
    if (!sim_.alive(process)) return;
    down_.insert(process);
    callbacks_.crash ? callbacks_.crash(process) : sim_.crash(process);
  }

  void restart(SimProcessId process) {
    if (down_.erase(process) == 0 || sim_.alive(process)) return;
    callbacks_.restart ? callbacks_.restart(process) : sim_.restart(process);
  }

  Simulation& sim_;
  FaultCallbacks callbacks_;
  std::set<SimProcessId> down_;  // by this plan
};

}  // namespace

std::string describe(const Fault& fault, const Simulation& sim) {
  return describe(fault, [&](SimProcessId process) { return sim.name(process); });
}

std::string describe(const Fault& f, const std::function<std::string(SimProcessId)>& name_of) {
  char text[256];
  std::snprintf(text, sizeof(text), "at=%.3fs for=%.3fs ", static_cast<double>(f.at_us) / 1e6,
                static_cast<double>(f.duration_us) / 1e6);
  std::string out = text;
  out.append(kind_name(f.kind));
  if (f.kind == FaultKind::kNetworkPhase) {
    std::snprintf(text, sizeof(text), " drop=%.4f duplicate=%.4f reorder=%.4f delay_us_max=%lld",
                  f.drop, f.duplicate, f.reorder, static_cast<long long>(f.amount_us));
    return out + text;
  }
  out.append(" " + name_of(f.a));
  if (strikes_link(f.kind)) {
    out.append(f.kind == FaultKind::kCutLink ? " <-> " : " -> ").append(name_of(f.b));
  }
  if (f.kind == FaultKind::kClockJump) out.append(" by_us=" + std::to_string(f.amount_us));
  return out;
}

FaultPlan::FaultPlan(std::vector<Fault> faults, int64_t end_us)
    : faults_(std::move(faults)), end_us_(end_us) {}

FaultPlan FaultPlan::random(uint64_t seed, size_t processes, const FaultPlanConfig& config) {
  Draw draw(seed, processes, config);
  draw.add(FaultKind::kCutLink, config.cuts);
  draw.add(FaultKind::kCutOneWay, config.one_way_cuts);
  draw.add(FaultKind::kClogLink, config.clogs);
  draw.add(FaultKind::kNetworkPhase, config.network_phases);
  draw.add(FaultKind::kFreeze, config.freezes);
  draw.add(FaultKind::kCrash, config.crashes);
  draw.add(FaultKind::kClockJump, config.clock_jumps);
  return FaultPlan(draw.take(), config.start_us + config.span_us);
}

void FaultPlan::schedule(Simulation& sim, FaultCallbacks callbacks) const {
  auto driver = std::make_shared<Driver>(sim, std::move(callbacks));
  for (const Fault& fault : faults_) {
    sim.at(fault.at_us, [driver, fault] { driver->begin(fault); });
    sim.at(fault.at_us + fault.duration_us, [driver, fault] { driver->end(fault); });
  }
  sim.at(end_us_, [driver] { driver->end_all(); });
}

}  // namespace tidemill
