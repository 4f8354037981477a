// Which coordinator leads: standing for it, renewing the lease, and ending when it is lost.
#include "coordinator/coordinator.h"
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr int64_t kStandIntervalUs = 250'000;

}  // namespace

void Coordinator::stand_for_leadership() {
  const int64_t now = runtime_.monotonic_us();
  if (electing_ || (elected_at_us_ != 0 && now - elected_at_us_ < kStandIntervalUs)) return;
  electing_ = true;
  elected_at_us_ = now;
  runtime_.run_blocking(kAgent, kElectionLane,
                        [election = config_.election, now]() -> std::unique_ptr<LocalPayload> {
                          return std::make_unique<StoodForLeader>(election->stand(), now);
                        });
}

void Coordinator::on_stood(StoodForLeader stood) {
  electing_ = false;
  if (!stood.outcome) {
    const Error& error = stood.outcome.error();
    if (error.code() != ErrorCode::kRetryable) return end(error.message());
    if (election_error_.empty()) {
      log_event(LogLevel::kWarning, "election_waits", {{"reason", error.message()}});
    }
    election_error_ = error.message();
    leader_.clear();
    return;
  }
  election_error_.clear();
  if (!stood.outcome->leads) {
    if (leader_ != stood.outcome->leader) {
      log_event(LogLevel::kInfo, "standing_by", {{"leader", stood.outcome->leader}});
    }
    leader_ = stood.outcome->leader;
    return;
  }
  leads_until_us_ = stood.began_at_us + config_.election->ttl_us();
  phase_ = Phase::kLoading;
  leader_.clear();
  if (!may_act()) return;
  log_event(LogLevel::kInfo, "leading", {{"ttl_ms", config_.election->ttl_us() / 1000}});
  load();
}

void Coordinator::renew_leadership() {
  const int64_t now = runtime_.monotonic_us();
  if (config_.election == nullptr || electing_) return;
  if (now - elected_at_us_ < config_.election->ttl_us() / 4) return;
  electing_ = true;
  elected_at_us_ = now;
  runtime_.run_blocking(kAgent, kElectionLane,
                        [election = config_.election, now]() -> std::unique_ptr<LocalPayload> {
                          return std::make_unique<RenewedLeadership>(election->renew(), now);
                        });
}

void Coordinator::on_renewed(RenewedLeadership renewed) {
  electing_ = false;
  if (renewed.status) {
    leads_until_us_ = renewed.began_at_us + config_.election->ttl_us();
    election_error_.clear();
    return;
  }
  const Error& error = renewed.status.error();
  if (error.code() != ErrorCode::kRetryable) return end(error.message());
  if (election_error_.empty()) {
    log_event(LogLevel::kWarning, "renewal_waits", {{"reason", error.message()}});
  }
  election_error_ = error.message();
}

// Asked before anything is done: a process that was frozen past its lease must not even answer
// what it finds in its mailbox.
bool Coordinator::may_act() {
  if (phase_ == Phase::kEnded) return false;
  if (phase_ == Phase::kStandby || runtime_.monotonic_us() < leads_until_us_) return true;
  end("the leader's lease was not renewed in time" +
      (election_error_.empty() ? "" : ": " + election_error_));
  return false;
}

void Coordinator::end(const std::string& reason) {
  phase_ = Phase::kEnded;
  runtime_.stop(1, reason);
}

void Coordinator::acknowledge(NodeId node, uint64_t addressed_to) {
  proto::HeartbeatAck ack;
  ack.set_generation(committed_->generation);
  ack.set_addressed_to(addressed_to);
  // Refused or lost: the next heartbeat is acknowledged again.
  (void)runtime_.send(kAgent, {node, kAgent}, kHeartbeatAck, Buffer(ack.SerializeAsString()));
}

}  // namespace tidemill
