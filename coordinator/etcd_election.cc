#include "coordinator/etcd_election.h"

#include <utility>

#include "coordinator/etcd_layout.h"

namespace tidemill {

EtcdElection::EtcdElection(std::unique_ptr<EtcdClient> client, std::string prefix, int64_t ttl_s)
    : client_(std::move(client)), prefix_(std::move(prefix)), ttl_s_(ttl_s) {}

Result<Candidacy> EtcdElection::stand() {
  ASSERT(!term_);
  const std::string key = etcd_leader_key(prefix_);
  const auto found = client_->range(key, "", 1);
  if (!found) return found.error();
  if (!found->entries.empty() && found->entries[0].key == key) {
    return Candidacy{false, found->entries[0].value};
  }
  const auto lease = client_->grant(ttl_s_);
  if (!lease) return lease.error();
  const auto answer = client_->txn(
      {{{key}}, {{EtcdOp::Kind::kPut, key, address_, lease->id}}, {{EtcdOp::Kind::kGet, key}}});
  if (answer && answer->succeeded) {
    term_ = EtcdTerm{answer->revision, lease->id};
    return Candidacy{true, address_};
  }
  if (answer && !answer->entries.empty() && answer->entries[0].lease == lease->id) {
    // An attempt whose answer was lost had created it.
    term_ = EtcdTerm{answer->entries[0].create_revision, lease->id};
    return Candidacy{true, address_};
  }
  // Should the key have been created all the same, it goes with the lease.
  (void)client_->revoke(lease->id);
  if (!answer) return answer.error();
  return Candidacy{false, answer->entries.empty() ? "" : answer->entries[0].value};
}

Status EtcdElection::renew() {
  const auto left_s = client_->keep_alive(term_->lease);
  if (!left_s) return left_s.error();
  if (*left_s > 0) return {};
  return Error{ErrorCode::kFenced, "the leader's lease has ended in etcd"};
}

void EtcdElection::resign() {
  if (term_) (void)client_->revoke(term_->lease);
}

}  // namespace tidemill
