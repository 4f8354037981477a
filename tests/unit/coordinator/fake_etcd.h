// An etcd in memory for tests: what EtcdClient asks for, with etcd's limits, leases by a clock of
// the test's, and faults: requests and answers that are lost, and requests that arrive late.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/etcd_client.h"

namespace tidemill::testing {

class FakeEtcd {
 public:
  enum class Fault { kNone, kRequestLost, kAnswerLost, kDelayed, kRefused };

  explicit FakeEtcd(std::function<int64_t()> now_us) : now_us_(std::move(now_us)) {}

  EtcdClient::Transport transport();

  // What becomes of the next calls; kNone when it has none to give.
  std::function<Fault(const std::string& path)> faults;

  // Requests that were delayed arrive now, in an order of the caller's choosing.
  size_t delayed() const { return delayed_.size(); }
  void deliver(size_t i);

  // As another client would see it.
  std::map<std::string, std::string> contents() const;
  void put(const std::string& key, const std::string& value);
  void remove(const std::string& key);
  size_t leases() const { return leases_.size(); }

  // Of the requests taken: the longest, the most operations of a transaction.
  size_t longest_bytes() const { return longest_bytes_; }
  size_t most_ops() const { return most_ops_; }

 private:
  struct Entry {
    std::string value;
    int64_t create_revision = 0;
    int64_t lease = 0;
  };
  struct Lease {
    int64_t ttl_s = 0;
    int64_t ends_at_us = 0;
  };

  HttpResponse take(const std::string& path, const std::string& body);
  HttpResponse refuse(int status, int code, const std::string& message) const;
  HttpResponse answer(nlohmann::json json) const;
  HttpResponse txn(const nlohmann::json& request);
  HttpResponse range(const nlohmann::json& request);
  bool holds(const nlohmann::json& compare) const;
  nlohmann::json execute(const nlohmann::json& op, bool* changed);
  nlohmann::json entry_json(const std::string& key, const Entry& entry) const;
  void expire();
  void drop(int64_t lease);

  std::function<int64_t()> now_us_;
  std::map<std::string, Entry> entries_;
  std::map<int64_t, Lease> leases_;
  std::vector<std::pair<std::string, std::string>> delayed_;  // path, body
  int64_t revision_ = 1;
  int64_t next_lease_ = 7'000'000'000'000'001;
  size_t longest_bytes_ = 0;
  size_t most_ops_ = 0;
};

}  // namespace tidemill::testing
