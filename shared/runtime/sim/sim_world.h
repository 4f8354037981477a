// SimWorld: the inside of a Simulation: virtual time, the event queue, the processes and their
// network, the log and the trace. Processes call back into it.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shared/obs/log.h"
#include "shared/runtime/random.h"
#include "shared/runtime/sim/sim_config.h"
#include "shared/runtime/sim/sim_event_queue.h"
#include "shared/runtime/sim/sim_network.h"
#include "shared/runtime/sim/sim_process.h"
#include "shared/runtime/sim/simulation.h"

namespace tidemill {

class SimWorld : public LogSink {
 public:
  SimWorld(uint64_t seed, const SimConfig& config);
  ~SimWorld() override;

  // Where a process lives: its incarnations come and go.
  struct Place {
    SimProcessOptions options;
    SimWiring wiring;
    uint64_t incarnation = 0;  // of `process`, or of the last one if it is down
    std::unique_ptr<SimProcess> process;
    int64_t monotonic_base_us = 0;
    int64_t clock_offset_us = 0;
    int64_t blocking_delay_us_max = 0;  // 0: as configured
    int exit_code = -1;
    bool frozen = false;
    size_t frozen_messages = 0;
    std::deque<SimEvent> deferred;  // became due while frozen
    bool ends = false;              // once its handler has returned

    bool is_known_as(NodeId node) const {
      const auto& aliases = options.aliases;
      return node == process->identity().node ||
             std::find(aliases.begin(), aliases.end(), node) != aliases.end();
    }
  };

  // For the harness.
  size_t add(SimProcessOptions options, SimWiring wiring);
  Place& place(size_t process);
  size_t places() const { return places_.size(); }
  bool step(int64_t deadline_us);  // false: nothing more is due by then, and it is that time now
  void at(int64_t time_us, std::function<void()> action);
  void crash(size_t process);
  void terminate(size_t process);
  void tell_link_broken(size_t watcher, size_t about);
  void restart(size_t process, NodeId node);
  void freeze(size_t process);
  void unfreeze(size_t process);
  SimNetwork& network() { return network_; }
  LogChannel& log() { return log_; }
  const SimFaultCounts& faults() const { return faults_; }
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t events() const { return events_; }
  const std::vector<std::string>& errors() const { return errors_; }
  const std::deque<std::string>& lines() const { return lines_; }
  const std::map<std::string, uint64_t>& log_counts() const { return log_counts_; }

  void observe(SimObserver observer) { observer_ = std::move(observer); }

  // For the processes.
  const SimConfig& config() const { return config_; }
  int64_t now_us() override { return now_us_; }
  int64_t wall_us(size_t process) const;
  void schedule(int64_t delay_us, SimEvent event);
  SendResult send(size_t from_process, const std::string& endpoint, const ActorAddress& from,
                  const ActorAddress& to, uint16_t type, const Buffer& body);
  void note_sent(const SimSent& sent) const {
    if (observer_) observer_(sent);
  }
  void stop_process(size_t process, int exit_code, const std::string& reason);
  void count(SimFault fault) { ++faults_[static_cast<size_t>(fault)]; }
  void trace(const ActorAddress& from, const ActorAddress& to, uint16_t type, const Buffer& body);
  void trace_timer(const ActorAddress& actor, uint64_t token);
  int64_t local_delay_us() { return random_.between(0, config_.local_delay_us_max); }
  int64_t turn_us() { return random_.between(0, config_.turn_us_max); }
  int64_t timer_lateness_us() { return random_.between(0, config_.timer_late_us_max); }
  int64_t blocking_delay_us(size_t process) {
    const int64_t longest =
        std::max(config_.blocking_delay_us_max, places_[process]->blocking_delay_us_max);
    return random_.between(config_.blocking_delay_us_min, longest);
  }

  void write(LogLevel level, std::string_view line) override;

 private:
  void start(size_t process, NodeId node);
  void end(size_t process);
  void schedule_broken_links(size_t process, NodeId node);
  void arrive_broken_link(const SimEvent& event);
  void dispatch(SimEvent event);
  void run_in_process(SimEvent event);
  void arrive(SimEvent event);
  void defer(Place& place, SimEvent event);

  const SimConfig config_;
  Random random_;
  SimFaultCounts faults_{};
  SimNetwork network_;
  LogChannel log_;
  int64_t now_us_ = 0;
  SimEventQueue queue_;
  std::vector<std::unique_ptr<Place>> places_;
  std::map<std::string, size_t> by_endpoint_;
  Place* running_ = nullptr;  // whose code is being executed
  SimObserver observer_;
  uint64_t trace_hash_ = 0;
  uint64_t events_ = 0;
  std::vector<std::string> errors_;
  std::deque<std::string> lines_;
  std::map<std::string, uint64_t> log_counts_;  // by event
};

}  // namespace tidemill
