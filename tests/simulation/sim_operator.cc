#include "tests/simulation/sim_operator.h"

#include <cstdio>

#include "coordinator/coordinator.h"
#include "shared/wire/actors.h"
#include "tests/simulation/growing_source.h"
#include "tests/simulation/sim_job.h"

namespace tidemill::test {

using nlohmann::json;

namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kPollEveryUs = 300'000;
constexpr int64_t kAskAgainUs = 500'000;
// A lease, and the reports after it.
constexpr int64_t kConvergedForUs = 3 * kSecond;
constexpr const char* kSavepoint = "half-way";
constexpr const char* kNextJob = "sim_again";

std::string node_name(NodeId node) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(node.value));
  return text;
}

}  // namespace

SimOperator::SimOperator(uint64_t seed, const SimPlan& plan, Simulation* sim, SimMachines* machines,
                         Fail fail, JobChanged job_changed)
    : seed_(seed),
      plan_(plan),
      sim_(sim),
      machines_(machines),
      fail_(std::move(fail)),
      job_changed_(std::move(job_changed)) {}

void SimOperator::start() {
  submit();
  sim_->at(sim_->now_us() + kPollEveryUs, [this] { poll(); });
}

// A coordinator that is down, or crashes meanwhile, does not answer at all.
void SimOperator::ask(const std::string& method, const std::string& target, const std::string& body,
                      Respond respond) {
  const SimProcessId coordinator = machines_->process(kCoordinatorMachine);
  auto answered = std::make_shared<bool>(false);
  sim_->at(sim_->now_us() + kAskAgainUs, [=, this] {
    if (!*answered) ask(method, target, body, respond);
  });
  if (!sim_->alive(coordinator)) return;
  auto call = std::make_unique<CoordinatorRequest>(HttpRequest{method, target, "", body},
                                                   [=](const HttpResponse& response) {
                                                     if (response.status == 503 || *answered)
                                                       return;
                                                     *answered = true;
                                                     respond(response);
                                                   });
  sim_->post_from_outside(coordinator, kAgent, std::move(call));
}

void SimOperator::submit() {
  ask("POST", "/v1/jobs", sim_job_yaml(seed_, job_, plan_), [this](const HttpResponse& response) {
    if (response.status == 400) fail_("submit: " + response.body);
    if (response.status / 100 == 2 || response.status == 409) submitted_ = true;
  });
}

void SimOperator::poll() {
  if (submitted_ && sim_->alive(machines_->process(kCoordinatorMachine))) {
    auto call = std::make_unique<CoordinatorRequest>(HttpRequest{"GET", "/v1/jobs/" + job_, "", ""},
                                                     [this](const HttpResponse& response) {
                                                       last_status_ = response.body;
                                                       if (response.status != 200) return;
                                                       json job = json::parse(response.body);
                                                       if (job["name"] != job_) return;
                                                       last_job_ = std::move(job);
                                                       note_progress(last_job_);
                                                     });
    sim_->post_from_outside(machines_->process(kCoordinatorMachine), kAgent, std::move(call));
  }
  sim_->at(sim_->now_us() + kPollEveryUs, [this] { poll(); });
}

// A completed job stays so, and its state may have been lost since. It has converged once every
// source has been read, applied and published to its end for longer than a lease and its reports.
void SimOperator::note_progress(const json& job) {
  if (job.value("state", "") == "COMPLETED" && job["sources"].size() < kPartitionsAtLast) {
    fail_("COMPLETED with " + std::to_string(job["sources"].size()) + " source partitions");
  }
  if (job.value("state", "") == "FAILED") fail_("the job has failed: " + job.dump());
  bool all = job["key_partitions"]["store_ready"] == job["key_partitions"]["total"] &&
             job["key_partitions"]["owned"] == job["key_partitions"]["total"] &&
             job.value("state", "") == "COMPLETED";
  for (const json& source : job["sources"]) {
    all &= source["finished"] == true && source["applied"] == source["offset"] &&
           source["published"] == source["offset"];
  }
  converged_since_us_ = all ? std::min(converged_since_us_, sim_->now_us()) : INT64_MAX;
  converged_ = all && sim_->now_us() - converged_since_us_ > kConvergedForUs;
}

void SimOperator::forget_convergence() {
  converged_ = false;
  converged_since_us_ = INT64_MAX;
}

void SimOperator::give_up() {
  if (savepoint_ == Savepoint::kTaking) savepoint_ = Savepoint::kNone;
}

void SimOperator::begin(const Mishap& m) {
  switch (m.kind) {
    case MishapKind::kDrain:
      return drain(m.machine);
    case MishapKind::kRebalance:
      return ask("POST", "/v1/rebalance", "", [this](const HttpResponse& response) {
        count(response.status == 202 ? "rebalance_accepted" : "rebalance_refused");
      });
    case MishapKind::kTriggerSnapshot:
      return ask("POST", "/v1/jobs/" + job_ + "/snapshots", "",
                 [this](const HttpResponse& response) {
                   if (response.status == 202) count("snapshot_triggered");
                 });
    case MishapKind::kUpdateJob:
      return update();
    case MishapKind::kSavepoint:
      savepoint_ = Savepoint::kTaking;
      return ask("POST", "/v1/jobs/" + job_ + "/snapshots", json{{"name", kSavepoint}}.dump(),
                 [this](const HttpResponse&) { go_on_with_savepoint(); });
    default:
      return;
  }
}

void SimOperator::end(const Mishap& m) {
  if (m.kind != MishapKind::kDrain || !drained_.contains(m.machine)) return;
  undrain(drained_[m.machine]);
}

void SimOperator::drain(size_t machine) {
  const NodeId node = sim_->node(machines_->process(machine));
  if (!machines_->up(machine)) return;
  drained_[machine] = node_name(node);
  ask("POST", "/v1/workers/" + node_name(node) + "/drain", "",
      [this](const HttpResponse& response) {
        count(response.status == 202 || response.status == 200 ? "drain_accepted"
                                                               : "drain_refused");
      });
}

// It may have been done before its answer is lost: it is the same again. Between two names of the
// job there is none to be updated.
void SimOperator::update() {
  const bool revised = !revised_;
  ask("POST", "/v1/jobs/" + job_ + "/update", sim_job_yaml(seed_, job_, plan_, revised),
      [=, this](const HttpResponse& response) {
        const json answer = json::parse(response.body, nullptr, false);
        if (response.status == 400 || answer.contains("differences") == (response.status != 200)) {
          return fail_("update: " + response.body);
        }
        if (response.status != 200) return count("job_update_missed");
        revised_ = revised;
        count("job_updated");
      });
}

void SimOperator::undrain(const std::string& node) {
  ask("DELETE", "/v1/workers/" + node + "/drain", "", [](const HttpResponse&) {});
}

void SimOperator::go_on_with_savepoint() {
  const auto again = [this] {
    sim_->at(sim_->now_us() + kPollEveryUs, [this] { go_on_with_savepoint(); });
  };
  switch (savepoint_) {
    case Savepoint::kNone:
      return;
    case Savepoint::kTaking:
      return ask(
          "GET", std::string("/v1/savepoints/") + kSavepoint, "",
          [=, this](const HttpResponse& response) {
            if (savepoint_ != Savepoint::kTaking) return;
            if (response.status == 404) savepoint_ = Savepoint::kNone;  // could not be taken
            if (response.status == 200 && json::parse(response.body)["state"] == "COMPLETE") {
              count("savepoint_completed");
              savepoint_ = Savepoint::kStopping;
            }
            again();
          });
    case Savepoint::kStopping:
      return ask("POST", "/v1/jobs/" + job_ + "/stop", "", [=, this](const HttpResponse& response) {
        if (response.status / 100 == 2 || response.status == 409) {
          savepoint_ = Savepoint::kStarting;
        }
        again();
      });
    case Savepoint::kStarting:
      return ask("POST", std::string("/v1/jobs?from_savepoint=") + kSavepoint,
                 sim_job_yaml(seed_, kNextJob, plan_), [=, this](const HttpResponse& response) {
                   if (savepoint_ != Savepoint::kStarting) return;
                   if (response.status == 400) fail_("start from savepoint: " + response.body);
                   if (response.status / 100 != 2 && response.status != 409) return again();
                   savepoint_ = Savepoint::kNone;
                   count("job_started_from_savepoint");
                   job_ = kNextJob;
                   revised_ = false;
                   forget_convergence();
                   job_changed_(job_);
                 });
  }
}

void SimOperator::add_counts(std::map<std::string, uint64_t>* counts) const {
  for (const auto& [what, n] : counts_) (*counts)[what] += n;
}

}  // namespace tidemill::test
