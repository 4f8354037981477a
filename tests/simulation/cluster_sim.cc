#include "tests/simulation/cluster_sim.h"

#include <nlohmann/json.hpp>
#include <set>

#include "coordinator/coordinator.h"
#include "coordinator/wiring.h"
#include "serving/read_gateway.h"
#include "serving/wiring.h"
#include "shared/plan/yaml_job.h"
#include "shared/runtime/sim/fault_plan.h"
#include "shared/wire/actors.h"
#include "tests/simulation/fold.h"
#include "worker/wiring.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

constexpr int kWorkers = 3;
constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kFaultsFrom = 2 * kSecond;
constexpr int64_t kFaultSpan = 14 * kSecond;
constexpr int64_t kDeadline = 120 * kSecond;
constexpr int64_t kReadInterval = 150'000;

constexpr const char* kJob = R"(
job: sim
key_partitions: 16
allowed_lateness: 8s
sources:
  transactions:
    max_out_of_orderness: 4s
    stream:
      generator: {partitions: 4, events: 2600, seed: %SEED%, customers: 60, terminals: 25,
                  zipf_exponent: 0.8, events_per_second: 60, late_share: 0.1, late_by: 4s,
                  tie_share: 0.1, malformed_share: 0.005, fraud_share: 0.05, replay: 12x}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [5s, 40s]}
      - {function: sum, column: amount, windows: [5s, 40s]}
      - {function: mean, column: amount, windows: [40s]}
      - {function: min, column: amount, windows: [40s]}
      - {function: max, column: amount, windows: [5s]}
      - {function: stddev, column: amount, windows: [40s]}
  terminal_risk:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {name: nb_tx, function: count, windows: [20s], offset: 10s}
      - {name: risk, function: mean, column: cast(is_fraud as double), windows: [20s], offset: 10s}
)";

WorkerConfig worker_config() {
  WorkerConfig c;
  c.read_records = 64;
  c.read_bytes = 1 << 16;
  c.batch_credit_bytes = 256 << 10;
  c.session_wait_ms = 200;
  c.publish_interval_ms = 10;
  c.frame_credit_bytes = 48 << 10;
  c.frame_bytes = 4 << 10;
  c.unsent_limit_bytes = 32 << 10;
  c.session_silence_ms = 2'000;
  c.link_stall_ms = 1'000;
  return c;
}

std::string job_yaml(uint64_t seed) {
  std::string yaml = kJob;
  const std::string mark = "%SEED%";
  yaml.replace(yaml.find(mark), mark.size(), std::to_string(seed));
  return yaml;
}

class ClusterSim {
 public:
  ClusterSim(uint64_t seed, bool print_log)
      : seed_(seed), random_(seed * 2 + 1), sim_(seed, config(print_log)) {}

  SimOutcome run();

 private:
  static SimConfig config(bool print_log) {
    SimConfig c;
    c.start_wall_us = 1'900'000'000'000'000;  // past every event time of the job
    c.print_log = print_log;
    return c;
  }

  void load_truth();
  void supervise();
  void start_processes();
  void submit();
  void poll_job();
  void note_progress(const json& job);
  void schedule_reads();
  void read_some();
  void read_everything();
  void read(bool customers, const std::vector<std::string>& keys, bool at_end);
  void check(const std::string& body, bool customers, const std::vector<std::string>& keys,
             bool at_end, uint64_t incarnation);
  void check_row(const json& answer, bool customers, const std::string& key, size_t row,
                 bool at_end, uint64_t incarnation);
  void compare(const std::string& where, const std::string& feature, const json& value,
               const std::optional<double>& want);
  void fail(const std::string& what) {
    if (outcome_.violation.empty()) outcome_.violation = what;
  }

  uint64_t seed_;
  Random random_;
  Simulation sim_;
  SimOutcome outcome_;
  std::shared_ptr<const Plan> plan_;
  std::vector<FoldEvent> events_;
  std::map<std::string, std::vector<const FoldEvent*>> by_customer_, by_terminal_;
  std::vector<std::string> customers_, terminals_;
  std::shared_ptr<MemoryDisk> disk_ = MetadataStore::make_memory_disk();
  SimProcessId coordinator_, store_;
  std::vector<SimProcessId> workers_;
  std::set<SimProcessId> down_;  // crashed by the fault plan, which brings them up again
  bool submitted_ = false;
  bool completed_ = false;
  int64_t converged_since_us_ = INT64_MAX;
  std::string last_status_;
  size_t answers_at_end_due_ = 0;
  // Greatest V seen of a key partition, by store incarnation.
  std::map<std::pair<uint64_t, uint32_t>, std::vector<uint64_t>> greatest_;
};

// Starts what has ended anew, as a supervisor would: a process that was fenced ends itself.
void ClusterSim::supervise() {
  for (size_t p = 0; p < sim_.processes(); ++p) {
    const SimProcessId process{p};
    if (!sim_.alive(process) && !down_.contains(process)) sim_.restart(process);
  }
  sim_.at(sim_.now_us() + 250'000, [this] { supervise(); });
}

void ClusterSim::load_truth() {
  const CompiledJob job = compile_job(job_yaml(seed_), "/");
  for (const JobError& e : job.errors) fail(to_string(e, "job"));
  if (!job.errors.empty()) return;
  auto plan = Plan::from_proto(job.plan);
  if (!plan) return fail(plan.error().message());
  plan_ = *plan;
  events_ = read_all_events(*plan_);
  outcome_.events = events_.size();
  for (const FoldEvent& e : events_) {
    by_customer_[e.customer].push_back(&e);
    by_terminal_[e.terminal].push_back(&e);
  }
  for (const auto& [key, rows] : by_customer_) customers_.push_back(key);
  for (const auto& [key, rows] : by_terminal_) terminals_.push_back(key);
  customers_.push_back("nobody");
}

void ClusterSim::start_processes() {
  coordinator_ = sim_.add_process({"coordinator", "sim://coordinator", kCoordinatorNode, 1},
                                  [this](ProcessHost& host) {
                                    CoordinatorConfig config;
                                    config.lease_ms = 1'500;
                                    config.join_settle_ms = 300;
                                    auto store = MetadataStore::open_in_memory(disk_);
                                    ASSERT(store.ok());
                                    spawn_coordinator(host, config, *store);
                                  });
  MemberConfig member;
  member.coordinator_endpoint = "sim://coordinator";
  member.heartbeat_ms = 200;
  for (int w = 0; w < kWorkers; ++w) {
    const std::string name = "worker" + std::to_string(w);
    const auto shards = static_cast<uint16_t>(w == 0 ? 2 : 1);
    workers_.push_back(sim_.add_process(
        {name, "sim://" + name, NodeId(0), shards},
        [member](ProcessHost& host) { spawn_worker(host, member, worker_config()); }));
  }
  member.http_address = "sim-store:80";
  store_ = sim_.add_process({"store", "sim://store", NodeId(0), 2},
                            [member](ProcessHost& host) { spawn_store(host, member); });
}

void ClusterSim::submit() {
  if (submitted_) return;
  auto call = std::make_unique<CoordinatorRequest>(
      HttpRequest{"POST", "/v1/jobs?base_dir=%2F", "application/yaml", job_yaml(seed_)},
      [this](HttpResponse response) {
        if (response.status == 201 || response.status == 409) submitted_ = true;
        if (response.status == 400) fail("submit: " + response.body);
      });
  if (sim_.alive(coordinator_)) sim_.post_from_outside(coordinator_, kAgent, std::move(call));
}

void ClusterSim::poll_job() {
  if (!submitted_) submit();
  if (submitted_ && sim_.alive(coordinator_)) {
    auto call = std::make_unique<CoordinatorRequest>(HttpRequest{"GET", "/v1/jobs/sim", "", ""},
                                                     [this](HttpResponse response) {
                                                       last_status_ = response.body;
                                                       if (response.status != 200) return;
                                                       note_progress(json::parse(response.body));
                                                     });
    sim_.post_from_outside(coordinator_, kAgent, std::move(call));
  }
  sim_.at(sim_.now_us() + 300'000, [this] { poll_job(); });
}

// A completed job stays so, and its state may have been lost since. It has converged once every
// source has been read, applied and published to its end for longer than a lease and its reports.
void ClusterSim::note_progress(const json& job) {
  bool all = job["key_partitions"]["store_ready"] == job["key_partitions"]["total"] &&
             job["key_partitions"]["owned"] == job["key_partitions"]["total"] &&
             job.value("state", "") == "COMPLETED";
  for (const json& source : job["sources"]) {
    all &= source["finished"] == true && source["applied"] == source["offset"] &&
           source["published"] == source["offset"];
  }
  converged_since_us_ = all ? std::min(converged_since_us_, sim_.now_us()) : INT64_MAX;
  completed_ = all && sim_.now_us() - converged_since_us_ > 4 * kSecond;
}

void ClusterSim::schedule_reads() {
  read_some();
  sim_.at(sim_.now_us() + kReadInterval, [this] { schedule_reads(); });
}

void ClusterSim::read_some() {
  for (const bool customers : {true, false}) {
    const auto& all = customers ? customers_ : terminals_;
    std::vector<std::string> keys;
    for (int i = 0; i < 4; ++i) keys.push_back(all[random_.below(all.size())]);
    read(customers, keys, false);
  }
}

void ClusterSim::read_everything() {
  for (const bool customers : {true, false}) {
    answers_at_end_due_ += (customers ? customers_ : terminals_).size();
    read(customers, customers ? customers_ : terminals_, true);
  }
}

void ClusterSim::read(bool customers, const std::vector<std::string>& keys, bool at_end) {
  if (!sim_.alive(store_) || sim_.frozen(store_)) return;
  json request{{"job", "sim"},
               {"features", {customers ? "customer.*" : "terminal_risk.*"}},
               {"entities", {{customers ? "customer_id" : "terminal_id", keys}}},
               {"offsets", true}};
  const uint64_t incarnation = sim_.node(store_).value;
  auto call = std::make_unique<StoreHttpCall>();
  call->request = {"POST", "/v1/features", "application/json", request.dump()};
  call->respond = [=, this](HttpResponse response) {
    if (response.status == 200) {
      check(response.body, customers, keys, at_end, incarnation);
    } else if (at_end || (response.status != 503 && response.status != 404)) {
      fail("read answered " + std::to_string(response.status) + " " + response.body);
    }
  };
  sim_.post_from_outside(store_, kReadGateway, std::move(call));
}

void ClusterSim::check(const std::string& body, bool customers,
                       const std::vector<std::string>& keys, bool at_end, uint64_t incarnation) {
  const json answer = json::parse(body);
  for (size_t row = 0; row < keys.size(); ++row) {
    check_row(answer, customers, keys[row], row, at_end, incarnation);
  }
}

void ClusterSim::check_row(const json& answer, bool customers, const std::string& key, size_t row,
                           bool at_end, uint64_t incarnation) {
  const json& held = answer["offsets"][customers ? "customer" : "terminal_risk"][row];
  if (held.is_null()) {
    ++outcome_.not_ready_answers;
    if (at_end) fail("at the end " + key + " is not ready");
    return;
  }
  FoldQuery query;
  query.by_terminal = !customers;
  query.key = key;
  const std::string as_of_text = answer["as_of"];
  ASSERT(parse_timestamp(as_of_text, &query.as_of));
  for (const json& component : held["offset_vector"]) query.below.push_back(component[0]);
  auto& greatest = greatest_[{incarnation, held["key_partition"].get<uint32_t>()}];
  greatest.resize(query.below.size());
  for (size_t s = 0; s < greatest.size(); ++s) {
    if (query.below[s] < greatest[s]) {
      fail("V of key partition " + held["key_partition"].dump() + " shrank for source partition " +
           std::to_string(s));
    }
    greatest[s] = std::max(greatest[s], query.below[s]);
  }
  if (at_end) std::fill(query.below.begin(), query.below.end(), UINT64_MAX);

  const auto& by_key = customers ? by_customer_ : by_terminal_;
  const auto events = by_key.find(key);
  const std::vector<const FoldEvent*> none;
  const auto& of_key = events == by_key.end() ? none : events->second;
  const std::string where =
      (at_end ? "at the end " : "at its V ") + key + " as of " + as_of_text + " ";
  for (const json& result : answer["results"]) {
    const std::string name = result["feature"];
    const std::string feature = name.substr(name.find('.') + 1);
    const std::string window = feature.substr(feature.rfind('_') + 1);
    query.window = *parse_duration(window);
    query.offset = customers ? 0 : 10 * kSecond;
    const FoldValues want = fold(of_key, query);
    const std::string function = feature.substr(0, feature.find('_'));
    const std::string full = feature.substr(0, feature.rfind('_'));
    const json& value = result["values"][row];
    const std::string status = result["statuses"][row];
    if (status != "PRESENT" && want.rows_of_key > 0 && want.count > 0) {
      fail(where + name + " is " + status + " though the key has rows");
    }
    if (status == "PRESENT" && want.rows_of_key == 0)
      fail(where + name + " is PRESENT without rows");
    if (full == "count" || full == "nb_tx") {
      if (value != want.count) {
        fail(where + name + " is " + value.dump() + ", the fold is " + std::to_string(want.count));
      }
    } else if (full == "amount_sum") {
      compare(where, name, value, want.sum);
    } else if (full == "amount_mean") {
      compare(where, name, value, want.mean);
    } else if (full == "amount_min") {
      compare(where, name, value, want.min);
    } else if (full == "amount_max") {
      compare(where, name, value, want.max);
    } else if (full == "amount_stddev") {
      compare(where, name, value, want.stddev);
    } else if (full == "risk") {
      compare(where, name, value, want.mean_fraud);
    } else {
      fail("no fold for feature " + name);
    }
  }
  ++(at_end ? outcome_.answers_at_end : outcome_.answers_while_running);
}

// Bit for bit: JSON carries the shortest decimal that reads back as the same double.
void ClusterSim::compare(const std::string& where, const std::string& feature, const json& value,
                         const std::optional<double>& want) {
  const bool same = want ? value.is_number() && value.get<double>() == *want : value.is_null();
  if (!same) {
    fail(where + feature + " is " + value.dump() + ", the fold is " +
         (want ? json(*want).dump() : "null"));
  }
}

SimOutcome ClusterSim::run() {
  load_truth();
  if (!outcome_.violation.empty()) return outcome_;
  start_processes();
  sim_.run_for(500'000);
  submit();
  FaultPlanConfig faults;
  faults.start_us = kFaultsFrom;
  faults.span_us = kFaultSpan;
  faults.fault_us_max = 4 * kSecond;
  const FaultPlan plan = FaultPlan::random(seed_, sim_.processes(), faults);
  plan.schedule(sim_, {[this](SimProcessId p) {
                         down_.insert(p);
                         if (sim_.alive(p)) sim_.crash(p);
                       },
                       [this](SimProcessId p) { down_.erase(p); },
                       {}});
  sim_.at(sim_.now_us() + 300'000, [this] { poll_job(); });
  supervise();
  sim_.at(kFaultsFrom / 2, [this] { schedule_reads(); });
  sim_.run_for(plan.end_us() - sim_.now_us() + kSecond);
  completed_ = false;
  converged_since_us_ = INT64_MAX;
  const bool done = sim_.run_until([&] { return completed_ || !outcome_.violation.empty(); },
                                   plan.end_us() + kDeadline);
  if (!done) fail("no convergence after healing: " + last_status_);
  if (outcome_.violation.empty()) {
    read_everything();
    sim_.run_until([&] { return outcome_.answers_at_end == answers_at_end_due_; },
                   sim_.now_us() + 5 * kSecond);
    if (outcome_.answers_at_end != answers_at_end_due_) fail("reads at the end got no answer");
  }
  for (const std::string& line : sim_.errors()) fail("ERROR logged: " + line);
  outcome_.trace_hash = sim_.trace_hash();
  for (size_t f = 0; f < sim_.faults().size(); ++f) {
    outcome_.faults[std::string(sim_fault_name(static_cast<SimFault>(f)))] = sim_.faults()[f];
  }
  return outcome_;
}

}  // namespace

SimOutcome simulate_cluster(uint64_t seed, bool print_log) {
  return ClusterSim(seed, print_log).run();
}

}  // namespace tidemill::test
