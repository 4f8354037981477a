// Simulation: several processes in one thread on virtual time, everything random from one seed.
// The same seed, config and calls give the same run: trace_hash() is over every delivery.
//
//   Simulation sim(seed);
//   SimProcessId w = sim.add_process({.name = "worker", .endpoint = "sim://w1"}, wire_it);
//   sim.run_until([&] { return done; }, 60'000'000);
//
// A process is a place (name, endpoint, wiring); its incarnations come and go by crash and restart.
// Virtual time starts at 0 and moves only inside run_*; handlers take no time except the small
// random one of SimConfig::turn_us_max. Ties are broken by order of scheduling.
//
// Threading: one thread; several simulations may exist, one runs at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/ids.h"
#include "shared/runtime/host.h"
#include "shared/runtime/random.h"
#include "shared/runtime/sim/sim_config.h"

namespace tidemill {

class SimWorld;

struct SimProcessId {
  size_t value = 0;  // in the order of add_process
  friend constexpr auto operator<=>(SimProcessId, SimProcessId) = default;
};

struct SimProcessOptions {
  std::string name{};      // in logs and fault plans
  std::string endpoint{};  // unique, any text
  NodeId node{};           // 0: random for each incarnation
  uint16_t shards = 1;
  std::vector<NodeId> aliases{};  // further nodes under which others know it
};

// Spawns the actors of a process; called anew for each incarnation.
using SimWiring = std::function<void(ProcessHost&)>;

class Simulation {
 public:
  explicit Simulation(uint64_t seed, SimConfig config = {});
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  // Adds a process and starts its first incarnation.
  SimProcessId add_process(SimProcessOptions options, SimWiring wiring);
  size_t processes() const;
  const std::string& name(SimProcessId process) const;

  // Virtual time.
  int64_t now_us() const;
  // Runs until `predicate` holds (checked after each event; true is returned) or virtual time
  // reaches `deadline_us`, which is absolute (false, unless the predicate holds then).
  bool run_until(const std::function<bool()>& predicate, int64_t deadline_us);
  void run_for(int64_t duration_us);
  // Calls `action` at that virtual time, outside any process.
  void at(int64_t time_us, std::function<void()> action);

  // From now on; an empty one sees nothing.
  void observe(SimObserver observer);

  // The current incarnation. False/0 while the process is down.
  bool alive(SimProcessId process) const;
  bool frozen(SimProcessId process) const;
  NodeId node(SimProcessId process) const;
  Runtime& runtime(SimProcessId process, uint16_t shard = 0);
  // The actor, to look into; null if there is none (any more).
  Actor* actor(SimProcessId process, ActorId id) const;
  // Exit code of Runtime::stop of the last incarnation; -1 if it has not stopped by itself.
  int exit_code(SimProcessId process) const;
  SendResult post_from_outside(SimProcessId process, ActorId to,
                               std::unique_ptr<LocalPayload> payload);

  // Faults. A crash destroys the actors and forgets timers, blocking work and what is on its way
  // to them. A restart is a new incarnation at the same endpoint (`node` 0: a new random id, or
  // the one of its options) with the same wiring. A frozen process does nothing; on unfreeze
  // everything that became due happens, late.
  void crash(SimProcessId process);
  // As SIGTERM: the actor that watches stops may take its leave before the process goes down.
  void terminate(SimProcessId process);
  // Tells actors of `watcher` that watch links that `about`'s is broken, although it is not.
  void tell_link_broken(SimProcessId watcher, SimProcessId about);
  void restart(SimProcessId process, NodeId node = NodeId{});
  void freeze(SimProcessId process);
  void unfreeze(SimProcessId process);
  void set_clock_offset(SimProcessId process, int64_t offset_us);  // of wall_us
  // Blocking work takes up to that long to start and to answer; 0: as configured.
  void slow_blocking(SimProcessId process, int64_t delay_us_max);

  // Links. Cut: messages are lost, also those on their way. Clogged: held until `until_us`.
  void cut(SimProcessId a, SimProcessId b);
  void cut_one_way(SimProcessId from, SimProcessId to);
  void heal(SimProcessId a, SimProcessId b);
  void clog(SimProcessId from, SimProcessId to, int64_t until_us);
  // Network-wide; the values of the config until then.
  void set_network(double drop, double duplicate, double reorder, int64_t delay_us_max);
  // All links, the network as configured, everything unfrozen; crashed processes stay down.
  void heal_network();

  const SimConfig& config() const;
  const SimFaultCounts& faults() const;
  std::string describe_faults() const;  // "dropped=3 crash=1 ...", those that happened
  uint64_t trace_hash() const;
  uint64_t events() const;
  // ERROR lines of the whole run, and the last lines of any level.
  const std::vector<std::string>& errors() const;
  std::vector<std::string> log_lines() const;
  // How many lines were written of each event; what the rate limit suppressed is not counted.
  const std::map<std::string, uint64_t>& log_counts() const;

 private:
  std::unique_ptr<SimWorld> world_;
};

}  // namespace tidemill
