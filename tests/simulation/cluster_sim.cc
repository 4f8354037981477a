#include "tests/simulation/cluster_sim.h"

#include "shared/evolution/evolution.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/yaml_job.h"
#include "shared/runtime/sim/fault_plan.h"
#include "tests/simulation/growing_source.h"
#include "tests/simulation/sim_invariants.h"
#include "tests/simulation/sim_job.h"
#include "tests/simulation/sim_machines.h"
#include "tests/simulation/sim_operator.h"
#include "tests/simulation/sim_plan.h"
#include "tests/simulation/sim_reads.h"
#include "tests/simulation/sim_snapshots.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDeadline = 120 * kSecond;
constexpr int64_t kReadInterval = 250'000;

FaultPlan draw_faults(uint64_t seed, const SimPlan& plan) {
  FaultPlanConfig faults;
  faults.start_us = plan.start_us;
  faults.span_us = plan.end_us - plan.start_us;
  faults.fault_us_max = 4 * kSecond;
  faults.clock_jumps = 2;
  faults.clock_jump_us_max = 20 * kSecond;
  return FaultPlan::random(seed, kMachines, faults);
}

class ClusterSim {
 public:
  ClusterSim(uint64_t seed, bool print_log)
      : seed_(seed),
        plan_(draw_plan(seed)),
        random_(seed * 2 + 1),
        sim_(seed, config(plan_, print_log)),
        source_(std::make_shared<GrowingSource>(seed, [this] { return sim_.now_us(); })),
        machines_(seed, plan_, &sim_, source_),
        reads_(seed, &sim_, &machines_, [this](const std::string& what) { fail(what); }),
        operator_(
            seed, plan_, &sim_, &machines_, [this](const std::string& what) { fail(what); },
            [this](const std::string& job) { change_job(job); }),
        snapshots_(&sim_, &machines_, &operator_, [this](const std::string& what) { fail(what); }),
        invariants_(machines_.limits(), [this](const std::string& what) { fail(what); }) {
    sim_.observe([this](const SimSent& message) { invariants_.sent(message); });
  }

  SimOutcome run();

 private:
  static SimConfig config(const SimPlan& plan, bool print_log) {
    SimConfig c;
    // Past every event time of the job, or among them.
    c.start_wall_us = plan.clocks_near_events ? kSimEventsFrom + 30 * kSecond
                                              : kSimEventsFrom + 100'000 * kSecond;
    c.blocking_delay_us_max = plan.blocking_delay_us_max;
    c.print_log = print_log;
    if (plan.small_queues) {
      c.mailbox_bytes_max = 16 << 10;
      c.link_messages_max = 300;
      c.link_bytes_max = 256 << 10;  // some of the largest key's images
      c.frozen_messages_max = 50;
    }
    return c;
  }

  void load_truth();
  void schedule_faults();
  void schedule_reads();
  void change_job(const std::string& job);
  void check_storage();
  void check_end();
  void fill_outcome();
  bool failed() const { return !outcome_.violation.empty(); }
  void fail(const std::string& what) {
    if (outcome_.violation.empty()) outcome_.violation = what;
  }

  uint64_t seed_;
  SimPlan plan_;
  Random random_;
  Simulation sim_;
  SimOutcome outcome_;
  std::shared_ptr<const Plan> job_plan_;
  Truth truth_;
  std::shared_ptr<GrowingSource> source_;
  SimMachines machines_;
  SimReads reads_;
  SimOperator operator_;
  SimSnapshots snapshots_;
  SimInvariants invariants_;
};

void ClusterSim::load_truth() {
  CompiledJob job = compile_job(sim_job_yaml(seed_, operator_.job(), plan_), "/");
  for (const JobError& e : job.errors) fail(to_string(e, "job"));
  if (!job.errors.empty()) return;
  bind_sources(source_.get(), 0, &job.plan);
  auto* generator = job.plan.mutable_sources(0)->mutable_generator();
  ASSERT(generator->partitions() == kPartitionsAtFirst);
  for (uint32_t n = kPartitionsAtFirst; n <= kPartitionsAtLast; ++n) {
    generator->set_partitions(n);
    number_source_partitions(&job.plan);
    auto plan = Plan::from_proto(job.plan);
    if (!plan) return fail(plan.error().message());
    job_plan_ = *plan;
    Truth truth = read_all_events(*job_plan_);
    ASSERT(n == kPartitionsAtFirst || continues(truth, truth_));
    truth_ = std::move(truth);
  }
  outcome_.events = truth_.events.size();
  machines_.letters().set_truth(truth_, job_plan_->source_partitions());
  machines_.letters().set_faults(true);
  reads_.set_truth(truth_);
  reads_.set_job(operator_.job());
}

void ClusterSim::change_job(const std::string& job) {
  machines_.letters().set_job(job);
  reads_.set_job(job);
}

void ClusterSim::schedule_faults() {
  const FaultPlan faults = draw_faults(seed_, plan_);
  faults.schedule(sim_, {[this](SimProcessId p) {
                           machines_.bring_down(p.value, random_.chance(plan_.power_losses));
                         },
                         [this](SimProcessId p) { machines_.bring_up(p.value); },
                         {}});
  for (const Mishap& mishap : plan_.mishaps) {
    sim_.at(mishap.at_us, [this, mishap] {
      machines_.begin(mishap);
      operator_.begin(mishap);
    });
    if (mishap.duration_us == 0) continue;
    sim_.at(mishap.at_us + mishap.duration_us, [this, mishap] {
      machines_.end(mishap);
      operator_.end(mishap);
    });
  }
  sim_.at(plan_.end_us, [this] {
    machines_.heal();
    operator_.give_up();
  });
}

void ClusterSim::schedule_reads() {
  reads_.read_some();
  check_storage();
  sim_.at(sim_.now_us() + kReadInterval, [this] { schedule_reads(); });
}

void ClusterSim::check_storage() {
  const std::string& wrong = machines_.storage().wrong();
  if (!wrong.empty()) fail(wrong);
}

void ClusterSim::check_end() {
  check_storage();
  reads_.read_everything();
  sim_.run_until([&] { return reads_.all_answered(); }, sim_.now_us() + 10 * kSecond);
  if (!reads_.all_answered()) fail("reads at the end got no answer");
  if (const std::string wrong = machines_.letters().check_end(operator_.last_job());
      !wrong.empty()) {
    fail(wrong);
  }
  // With all tables that the job may have got: a state of before is one of these, too.
  const CompiledJob revised = compile_job(sim_job_yaml(seed_, operator_.job(), plan_, true), "/");
  LaidOver laid = lay_over(*job_plan_, revised.plan);
  if (laid.plan == nullptr) return fail("the job cannot be what it is updated to");
  *laid.plan->mutable_sources() = job_plan_->proto().sources();
  *laid.plan->mutable_source_partitions() = job_plan_->proto().source_partitions();
  const auto all = Plan::from_proto(std::move(*laid.plan));
  if (!all) return fail(all.error().message());
  snapshots_.check_all(**all, &reads_);
}

SimOutcome ClusterSim::run() {
  load_truth();
  if (failed()) return outcome_;
  machines_.start();
  sim_.run_for(500'000);
  operator_.start();
  schedule_faults();
  sim_.at(plan_.start_us / 2, [this] { schedule_reads(); });
  sim_.run_until([this] { return failed(); }, plan_.end_us + kSecond);
  operator_.forget_convergence();
  const bool done =
      sim_.run_until([&] { return failed() || (operator_.converged() && operator_.idle()); },
                     plan_.end_us + kDeadline);
  if (!done) fail("no convergence after healing: " + operator_.last_status());
  if (!failed()) check_end();
  for (const std::string& line : sim_.errors()) fail("ERROR logged: " + line);
  fill_outcome();
  return outcome_;
}

void ClusterSim::fill_outcome() {
  outcome_.trace_hash = sim_.trace_hash();
  outcome_.answers_while_running = reads_.answers_while_running();
  outcome_.answers_before_growth = reads_.answers_before_growth();
  outcome_.answers_at_end = reads_.answers_at_end();
  outcome_.not_ready_answers = reads_.not_ready_answers();
  outcome_.counts["answers_in_the_past"] = reads_.answers_in_the_past();
  outcome_.counts["refused_before_horizon"] = reads_.refused_before_horizon();
  outcome_.counts["inexact_values"] = reads_.inexact_values();
  outcome_.counts["filling_values"] = reads_.filling_values();
  outcome_.counts["further_answers"] = reads_.further_answers();
  for (size_t f = 0; f < sim_.faults().size(); ++f) {
    if (static_cast<SimFault>(f) == SimFault::kNoActor) continue;  // all processes have all actors
    outcome_.counts[std::string(sim_fault_name(static_cast<SimFault>(f)))] = sim_.faults()[f];
  }
  for (const auto& [event, n] : sim_.log_counts()) outcome_.counts["log." + event] = n;
  outcome_.counts["virtual_seconds"] = static_cast<uint64_t>(sim_.now_us() / kSecond);
  outcome_.counts["events_of_runtimes"] = sim_.events();
  machines_.add_counts(&outcome_.counts);
  operator_.add_counts(&outcome_.counts);
  snapshots_.add_counts(&outcome_.counts);
  invariants_.add_counts(&outcome_.counts);
}

}  // namespace

SimOutcome simulate_cluster(uint64_t seed, bool print_log) {
  return ClusterSim(seed, print_log).run();
}

std::string describe_seed(uint64_t seed) {
  const SimPlan plan = draw_plan(seed);
  std::string out = "seed " + std::to_string(seed) + ": " + describe(plan);
  const FaultPlan faults = draw_faults(seed, plan);
  for (const Fault& fault : faults.faults()) {
    out += describe(fault, [](SimProcessId p) { return machine_name(p.value); }) + "\n";
  }
  return out;
}

}  // namespace tidemill::test
