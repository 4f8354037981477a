// SimOperator: what people do to the simulated cluster through the coordinator's REST API: submit
// the job, update it, drain a worker and take that back, rebalance, trigger snapshots, take a
// savepoint, stop the job and start it again from there. Everything is tried until it is done, as
// people would.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "shared/net/http_server.h"
#include "shared/runtime/sim/simulation.h"
#include "tests/simulation/sim_machines.h"

namespace tidemill::test {

class SimOperator {
 public:
  using Fail = std::function<void(const std::string&)>;
  // The job goes on under another name, from a state whose reads began at these offsets.
  using JobChanged = std::function<void(const std::string& name)>;

  SimOperator(uint64_t seed, const SimPlan& plan, Simulation* sim, SimMachines* machines, Fail fail,
              JobChanged job_changed);

  void start();  // submits the job, and looks at it from time to time
  void begin(const Mishap& mishap);
  void end(const Mishap& mishap);

  // Of the job as last seen. Converged: read, applied and published to the end of all sources for
  // longer than it takes to notice that something was lost.
  const std::string& job() const { return job_; }
  const nlohmann::json& last_job() const { return last_job_; }
  const std::string& last_status() const { return last_status_; }
  bool converged() const { return converged_; }
  void forget_convergence();
  // Nothing is half done: no savepoint is waited for, and no job is between its names.
  bool idle() const { return savepoint_ == Savepoint::kNone; }
  void give_up();  // what is not begun

  // An answer of the coordinator; called again until there is one that is not 503.
  using Respond = std::function<void(const HttpResponse&)>;
  void ask(const std::string& method, const std::string& target, const std::string& body,
           Respond respond);

  void add_counts(std::map<std::string, uint64_t>* counts) const;

 private:
  enum class Savepoint { kNone, kTaking, kStopping, kStarting };

  void submit();
  void poll();
  void note_progress(const nlohmann::json& job);
  void drain(size_t machine);
  void undrain(const std::string& node);
  void go_on_with_savepoint();
  void update();
  void count(const std::string& what) { ++counts_[what]; }

  uint64_t seed_;
  const SimPlan& plan_;
  Simulation* sim_;
  SimMachines* machines_;
  Fail fail_;
  JobChanged job_changed_;
  std::string job_ = "sim";
  bool submitted_ = false;
  bool revised_ = false;  // the job is what it was updated to
  bool converged_ = false;
  int64_t converged_since_us_ = INT64_MAX;
  nlohmann::json last_job_;
  std::string last_status_;
  std::map<size_t, std::string> drained_;  // by machine: its node
  Savepoint savepoint_ = Savepoint::kNone;
  std::map<std::string, uint64_t> counts_;
};

}  // namespace tidemill::test
