// SimNetwork: the links between simulated processes: who can reach whom, how late, and how much
// is on its way. Decides the fate of each message; the world schedules it.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "shared/runtime/random.h"
#include "shared/runtime/sim/sim_config.h"

namespace tidemill {

// By the order of Simulation::add_process.
struct SimLinkId {
  size_t from = 0;
  size_t to = 0;
  friend constexpr auto operator<=>(SimLinkId, SimLinkId) = default;
};

class SimNetwork {
 public:
  SimNetwork(const SimConfig& config, Random* random, SimFaultCounts* faults);

  struct Fate {
    bool full = false;  // refused: the sender is told
    int arrivals = 0;   // 0: lost; 2: duplicated
    int64_t arrival_us[2] = {0, 0};
  };
  // A message accepted with n arrivals is on its way until arrived() has been called n times.
  Fate send(SimLinkId link, size_t bytes, int64_t now_us);
  void arrived(SimLinkId link, size_t bytes);
  // Whether what arrives now gets through; counts it as lost if not.
  bool lets_through(SimLinkId link);

  // Neither way is cut.
  bool connects(size_t a, size_t b) const;

  void cut(SimLinkId link, bool both_ways);
  void heal(SimLinkId link);
  void clog(SimLinkId link, int64_t until_us);
  void set_faults(double drop, double duplicate, double reorder, int64_t delay_us_max);
  void heal_all();

 private:
  enum class Cut { kNone, kBothWays, kOneWay };
  struct Link {
    Cut cut = Cut::kNone;
    int64_t clogged_until_us = 0;
    int64_t last_arrival_us = 0;
    size_t messages = 0;  // on their way
    size_t bytes = 0;
  };

  void count(SimFault fault) { ++(*faults_)[static_cast<size_t>(fault)]; }
  void add_arrival(Fate* fate, Link& link, size_t bytes, int64_t arrival_us);

  const SimConfig& config_;
  Random* random_;
  SimFaultCounts* faults_;
  double drop_;
  double duplicate_;
  double reorder_;
  int64_t delay_us_max_;
  std::map<SimLinkId, Link> links_;
};

}  // namespace tidemill
