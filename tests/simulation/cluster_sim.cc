#include "tests/simulation/cluster_sim.h"

#include <nlohmann/json.hpp>
#include <set>

#include "coordinator/coordinator.h"
#include "coordinator/wiring.h"
#include "serving/read_gateway.h"
#include "serving/wiring.h"
#include "shared/plan/source_partitions.h"
#include "shared/plan/yaml_job.h"
#include "shared/runtime/sim/fault_plan.h"
#include "shared/wire/actors.h"
#include "tests/simulation/growing_source.h"
#include "tests/simulation/sim_job.h"
#include "tests/simulation/sim_letters.h"
#include "worker/wiring.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

constexpr int kWorkers = 3;
constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kFaultsFrom = 2 * kSecond;
constexpr int64_t kFaultSpan = 14 * kSecond;
constexpr int64_t kDeadline = 120 * kSecond;
constexpr int64_t kReadInterval = 250'000;

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

class ClusterSim {
 public:
  ClusterSim(uint64_t seed, bool print_log)
      : seed_(seed),
        random_(seed * 2 + 1),
        sim_(seed, config(print_log)),
        letters_(seed,
                 [this](SimProcessId process) {
                   sim_.at(sim_.now_us(), [this, process] {
                     if (sim_.alive(process)) sim_.crash(process);
                   });
                 }),
        source_(std::make_shared<GrowingSource>(seed, [this] { return sim_.now_us(); })) {}

  SimOutcome run();

 private:
  // Greatest V seen of a key partition, by store incarnation.
  using GreatestOffsets = std::map<std::pair<uint64_t, uint32_t>, std::vector<uint64_t>>;
  // A request for features.
  struct Asked {
    std::string join_key;
    std::vector<std::string> keys;
    bool at_end = false;
    uint64_t incarnation = 0;  // of the store
    GreatestOffsets greatest;  // when it was sent
  };

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
  void read(const std::string& join_key, const std::vector<std::string>& keys, bool at_end);
  void check(const std::string& body, const Asked& asked);
  void check_row(const json& answer, const SimView& view, size_t row, const Asked& asked);
  void check_offsets(const json& held, const Asked& asked);
  void check_feature(const std::string& name, const json& value, const std::string& status,
                     const SimView& view, const FoldRows& rows, TimeUs end,
                     const std::string& where);
  void fail(const std::string& what) {
    if (outcome_.violation.empty()) outcome_.violation = what;
  }

  uint64_t seed_;
  Random random_;
  Simulation sim_;
  SimOutcome outcome_;
  std::shared_ptr<const Plan> plan_;
  Truth truth_;
  SimLetters letters_;
  std::shared_ptr<GrowingSource> source_;
  // By join key, then by its values; one value that no event has.
  std::map<std::string, std::map<std::string, FoldRows>> events_;
  std::shared_ptr<MemoryDisk> disk_ = MetadataStore::make_memory_disk();
  SimProcessId coordinator_, store_;
  std::vector<SimProcessId> workers_;
  std::set<SimProcessId> down_;  // crashed by the fault plan, which brings them up again
  bool submitted_ = false;
  bool completed_ = false;
  int64_t converged_since_us_ = INT64_MAX;
  std::string last_status_;
  json last_job_;
  size_t answers_at_end_due_ = 0;
  GreatestOffsets greatest_;
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
  CompiledJob job = compile_job(sim_job_yaml(seed_), "/");
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
    plan_ = *plan;
    Truth truth = read_all_events(*plan_);
    ASSERT(n == kPartitionsAtFirst || continues(truth, truth_));
    truth_ = std::move(truth);
  }
  outcome_.events = truth_.events.size();
  letters_.set_truth(truth_, plan_->source_partitions());
  for (const SimView& view : kSimViews) {
    auto& by_key = events_[view.join_key];
    by_key.clear();
    for (const FoldEvent& e : truth_.events) by_key[e.*view.key].push_back(&e);
    by_key["nobody"];
  }
}

void ClusterSim::start_processes() {
  coordinator_ = sim_.add_process({"coordinator", "sim://coordinator", kCoordinatorNode, 1},
                                  [this](ProcessHost& host) {
                                    CoordinatorConfig config;
                                    config.lease_ms = 1'500;
                                    config.join_settle_ms = 300;
                                    config.catalog = source_;
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
    const auto storage = letters_.storage_of(SimProcessId{sim_.processes()});
    workers_.push_back(sim_.add_process({name, "sim://" + name, NodeId(0), shards},
                                        [member, storage](ProcessHost& host) {
                                          spawn_worker(host, member, worker_config(), storage);
                                        }));
  }
  member.http_address = "sim-store:80";
  store_ = sim_.add_process({"store", "sim://store", NodeId(0), 2},
                            [member](ProcessHost& host) { spawn_store(host, member); });
}

void ClusterSim::submit() {
  if (submitted_) return;
  auto call = std::make_unique<CoordinatorRequest>(
      HttpRequest{"POST", "/v1/jobs?base_dir=%2F", "application/yaml", sim_job_yaml(seed_)},
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
                                                       last_job_ = json::parse(response.body);
                                                       note_progress(last_job_);
                                                     });
    sim_.post_from_outside(coordinator_, kAgent, std::move(call));
  }
  sim_.at(sim_.now_us() + 300'000, [this] { poll_job(); });
}

// A completed job stays so, and its state may have been lost since. It has converged once every
// source has been read, applied and published to its end for longer than a lease and its reports.
void ClusterSim::note_progress(const json& job) {
  if (job.value("state", "") == "COMPLETED" && job["sources"].size() < kPartitionsAtLast) {
    fail("COMPLETED with " + std::to_string(job["sources"].size()) + " source partitions");
  }
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
  for (const auto& [join_key, by_key] : events_) {
    std::vector<std::string> keys;
    for (int i = 0; i < 3; ++i) {
      const auto n = static_cast<ptrdiff_t>(random_.below(by_key.size()));
      keys.push_back(std::next(by_key.begin(), n)->first);
    }
    read(join_key, keys, false);
  }
}

void ClusterSim::read_everything() {
  for (const auto& [join_key, by_key] : events_) {
    std::vector<std::string> keys;
    for (const auto& [key, rows] : by_key) keys.push_back(key);
    for (const SimView& view : kSimViews) {
      if (view.join_key == join_key) answers_at_end_due_ += keys.size();
    }
    read(join_key, keys, true);
  }
}

void ClusterSim::read(const std::string& join_key, const std::vector<std::string>& keys,
                      bool at_end) {
  if (!sim_.alive(store_) || sim_.frozen(store_)) return;
  json request{{"job", "sim"}, {"entities", {{join_key, keys}}}, {"offsets", true}};
  for (const SimView& view : kSimViews) {
    if (view.join_key == join_key) request["features"].push_back(view.name + std::string(".*"));
  }
  const Asked asked{join_key, keys, at_end, sim_.node(store_).value, greatest_};
  auto call = std::make_unique<StoreHttpCall>();
  call->request = {"POST", "/v1/features", "application/json", request.dump()};
  call->respond = [=, this](HttpResponse response) {
    if (response.status == 200) {
      check(response.body, asked);
    } else if (at_end || (response.status != 503 && response.status != 404)) {
      fail("read answered " + std::to_string(response.status) + " " + response.body);
    }
  };
  sim_.post_from_outside(store_, kReadGateway, std::move(call));
}

void ClusterSim::check(const std::string& body, const Asked& asked) {
  const json answer = json::parse(body);
  for (const SimView& view : kSimViews) {
    if (view.join_key != asked.join_key) continue;
    for (size_t row = 0; row < asked.keys.size(); ++row) {
      check_row(answer, view, row, asked);
    }
  }
}

// V is not below that of any answer from before the request, has as many components at least, and
// everything below it that is in no feature is a durable dead letter.
void ClusterSim::check_offsets(const json& held, const Asked& asked) {
  const json& now = held["offset_vector"];
  const std::pair partition{asked.incarnation, held["key_partition"].get<uint32_t>()};
  auto& greatest = greatest_[partition];
  greatest.resize(std::max(greatest.size(), now.size()));
  const auto found = asked.greatest.find(partition);
  std::vector<uint64_t> before;
  if (found != asked.greatest.end()) before = found->second;
  if (now.size() < before.size() || now.size() > kPartitionsAtLast) {
    return fail("V of key partition " + held["key_partition"].dump() + " has " +
                std::to_string(now.size()) + " components");
  }
  before.resize(now.size());
  for (uint32_t s = 0; s < now.size(); ++s) {
    const auto offset = now[s][0].get<uint64_t>();
    if (offset < before[s]) {
      fail("V of key partition " + held["key_partition"].dump() + " shrank for source partition " +
           std::to_string(s));
    }
    greatest[s] = std::max(greatest[s], offset);
    if (const std::string wrong = letters_.check_mark(s, offset); !wrong.empty()) fail(wrong);
  }
}

void ClusterSim::check_row(const json& answer, const SimView& view, size_t row,
                           const Asked& asked) {
  const std::string& key = asked.keys[row];
  const bool at_end = asked.at_end;
  const json& held = answer["offsets"][view.name][row];
  if (held.is_null()) {
    ++outcome_.not_ready_answers;
    if (at_end) fail("at the end " + key + " is not ready");
    return;
  }
  check_offsets(held, asked);
  const std::string as_of = answer["as_of"];
  std::vector<uint64_t> below;
  for (const json& component : held["offset_vector"]) {
    below.push_back(at_end ? UINT64_MAX : component[0].get<uint64_t>());
  }
  if (below.size() < kPartitionsAtLast) {
    ++outcome_.answers_before_growth;
    if (at_end) return fail("at the end V of " + key + " has too few components");
    below.resize(kPartitionsAtLast);  // nothing of those that the store has not heard of
  }
  const FoldRows rows = rows_of_view(view, events_[view.join_key][key], below);
  const std::string where = (at_end ? "at the end " : "at its V ") + key + " as of " + as_of + " ";
  TimeUs end = 0;
  ASSERT(parse_timestamp(as_of, &end));
  for (const json& result : answer["results"]) {
    const std::string name = result["feature"];
    if (!name.starts_with(view.name + std::string("."))) continue;
    check_feature(name, result["values"][row], result["statuses"][row], view, rows,
                  end - view.offset, where);
  }
  ++(at_end ? outcome_.answers_at_end : outcome_.answers_while_running);
}

void ClusterSim::check_feature(const std::string& name, const json& value,
                               const std::string& status, const SimView& view, const FoldRows& rows,
                               TimeUs end, const std::string& where) {
  const std::string feature = name.substr(name.find('.') + 1);
  const size_t split = feature.rfind('_');
  const std::string window = feature.substr(split + 1);
  const FoldRows in_window = rows_of_window(
      rows, end, window == "lifetime" ? std::nullopt : std::optional(*parse_duration(window)));
  if (status != "PRESENT" && !in_window.empty()) {
    fail(where + name + " is " + status + " though the key has rows");
  }
  if (status == "PRESENT" && rows.empty()) fail(where + name + " is PRESENT without rows");
  // Bit for bit: JSON carries the shortest decimal that reads back as the same double.
  const json want = fold_feature(view, feature.substr(0, split), in_window);
  if (value != want) {
    fail(where + name + " is " + value.dump() + ", the fold is " + want.dump());
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
  letters_.set_faults(true);
  sim_.at(plan.end_us(), [this] { letters_.set_faults(false); });
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
    if (const std::string wrong = letters_.check_end(last_job_); !wrong.empty()) fail(wrong);
  }
  for (const std::string& line : sim_.errors()) fail("ERROR logged: " + line);
  outcome_.trace_hash = sim_.trace_hash();
  for (size_t f = 0; f < sim_.faults().size(); ++f) {
    outcome_.faults[std::string(sim_fault_name(static_cast<SimFault>(f)))] = sim_.faults()[f];
  }
  outcome_.faults["dead_letters_half_written"] = letters_.failed_writes();
  outcome_.faults["crash_writing_dead_letters"] = letters_.crashes();
  return outcome_;
}

}  // namespace

SimOutcome simulate_cluster(uint64_t seed, bool print_log) {
  return ClusterSim(seed, print_log).run();
}

}  // namespace tidemill::test
