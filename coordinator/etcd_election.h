// The leader among coordinators by etcd: the key <prefix>leader, created under a lease by whoever
// finds none. The revision at which it was created numbers the term: every write of a leader's
// compares it, so what a deposed one still sends is refused (etcd_store.h).
//
// blocking, one lane. term() may be read elsewhere once stand() has returned that it leads.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "coordinator/etcd_client.h"
#include "coordinator/leader_election.h"

namespace tidemill {

struct EtcdTerm {
  int64_t create_revision = 0;  // of the leader key
  int64_t lease = 0;
};

class EtcdElection : public LeaderElection {
 public:
  // `prefix` ends in '/'.
  EtcdElection(std::unique_ptr<EtcdClient> client, std::string prefix, int64_t ttl_s);

  // host:port at which this coordinator's REST API is reached. Before the first stand().
  void set_address(std::string address) { address_ = std::move(address); }

  int64_t ttl_us() const override { return ttl_s_ * 1'000'000; }
  Result<Candidacy> stand() override;
  Status renew() override;
  void resign() override;

  // Of a leader.
  const EtcdTerm& term() const { return *term_; }
  const std::string& prefix() const { return prefix_; }

 private:
  std::unique_ptr<EtcdClient> client_;
  std::string prefix_;
  int64_t ttl_s_;
  std::string address_;
  std::optional<EtcdTerm> term_;
};

}  // namespace tidemill
