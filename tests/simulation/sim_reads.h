// SimReads: asks the simulated stores for features and holds every answer against the fold: while
// faults strike at the V that comes with it, at the end at the end of all sources. What a store has
// once answered is a bound for all that it answers later, also after it was started again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "shared/runtime/random.h"
#include "shared/runtime/sim/simulation.h"
#include "tests/simulation/sim_job.h"
#include "tests/simulation/sim_machines.h"

namespace tidemill::test {

class SimReads {
 public:
  using Fail = std::function<void(const std::string&)>;

  SimReads(uint64_t seed, Simulation* sim, SimMachines* machines, Fail fail);

  void set_truth(const Truth& truth);
  // Of another job nothing has been answered yet.
  void set_job(const std::string& name);

  // Some keys, of one store.
  void read_some();
  // All keys, of all stores; done when all_answered().
  void read_everything();
  bool all_answered() const { return answers_at_end_ == answers_at_end_due_; }

  uint64_t answers_while_running() const { return answers_while_running_; }
  uint64_t answers_before_growth() const { return answers_before_growth_; }
  uint64_t answers_at_end() const { return answers_at_end_; }
  uint64_t not_ready_answers() const { return not_ready_answers_; }
  uint64_t answers_in_the_past() const { return answers_in_the_past_; }
  uint64_t refused_before_horizon() const { return refused_before_horizon_; }
  uint64_t inexact_values() const { return inexact_values_; }
  uint64_t filling_values() const { return filling_values_; }
  uint64_t further_answers() const { return further_answers_; }

  // The rows of a key, all that there ever are.
  const std::map<std::string, FoldRows>& rows_by_key(const SimView& view) const {
    return events_.at(view.join_key);
  }
  // One feature of a key, by its full name; `rows` are those of its view.
  struct Answer {
    nlohmann::json value;
    nlohmann::json resolution_us;
    std::string status;
    nlohmann::json complete_since_us;  // null: it is complete
    friend bool operator==(const Answer&, const Answer&) = default;
  };
  void check_feature(const std::string& name, const Answer& answer, const SimView& view,
                     const FoldRows& rows, TimeUs end, const std::string& where);

 private:
  // Of a store's incarnation, and a key partition. One that begins anew may answer from less than
  // the one before did, if the owner and the readers were replaced meanwhile.
  using Held = std::tuple<size_t, uint64_t, uint32_t>;
  // The greatest V seen.
  using GreatestOffsets = std::map<Held, std::vector<uint64_t>>;
  // A request for features.
  struct Asked {
    size_t store = 0;
    uint64_t incarnation = 0;  // of the store
    std::string job;
    std::string join_key;
    std::vector<std::string> keys;
    bool at_end = false;
    std::optional<TimeUs> as_of;  // a time that may be before the horizon
    bool further = false;         // of views that only come with an update
    GreatestOffsets greatest;     // when it was sent
  };

  void read(size_t store, const std::string& join_key, const std::vector<std::string>& keys,
            bool at_end, std::optional<TimeUs> as_of = std::nullopt, bool further = false);
  void check(const std::string& body, const Asked& asked);
  bool not_ready(const nlohmann::json& answer, const Asked& asked) const;
  void check_row(const nlohmann::json& answer, const SimView& view, size_t row, const Asked& asked);
  static Answer answer_of(const nlohmann::json& result, size_t row);
  void check_offsets(const nlohmann::json& held, const Asked& asked);
  void check_max_event_time(uint32_t source, const nlohmann::json& position,
                            const std::string& what);
  // Some time of the job's events.
  TimeUs random_time();

  Simulation* sim_;
  SimMachines* machines_;
  Fail fail_;
  Random random_;
  std::string job_;
  // By join key, then by its values; one value that no event has.
  std::map<std::string, std::map<std::string, FoldRows>> events_;
  struct EventTime {
    TimeUs time = 0;
    std::string text;
  };
  // By source partition: each offset at which a greater event time comes, with that time.
  std::vector<std::map<uint64_t, EventTime>> max_event_times_;
  GreatestOffsets greatest_;
  uint64_t answers_while_running_ = 0;
  uint64_t answers_before_growth_ = 0;
  uint64_t answers_at_end_ = 0;
  uint64_t answers_at_end_due_ = 0;
  uint64_t not_ready_answers_ = 0;
  uint64_t answers_in_the_past_ = 0;
  uint64_t refused_before_horizon_ = 0;
  uint64_t inexact_values_ = 0;  // that said so
  uint64_t filling_values_ = 0;  // likewise
  uint64_t further_answers_ = 0;
};

}  // namespace tidemill::test
