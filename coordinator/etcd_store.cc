#include "coordinator/etcd_store.h"

#include <utility>

namespace tidemill {
namespace {

constexpr int64_t kPageKeys = 64;  // of at most EtcdLimits::value_bytes each

}  // namespace

EtcdStore::EtcdStore(std::unique_ptr<EtcdClient> client,
                     std::shared_ptr<const EtcdElection> election, EtcdLimits limits)
    : client_(std::move(client)), election_(std::move(election)), limits_(limits) {}

// Pages need not be of one revision: while this leader leads, nobody else writes.
Result<KeyValues> EtcdStore::load() {
  plan_.reset();
  std::map<std::string, std::string> raw;
  std::string from;
  while (true) {
    auto page = client_->range(election_->prefix(), from, kPageKeys);
    if (!page) return page.error();
    for (EtcdEntry& entry : page->entries) raw[std::move(entry.key)] = std::move(entry.value);
    if (!page->more || raw.empty()) break;
    from = raw.rbegin()->first + '\0';
  }
  auto read = read_contents(election_->prefix(), std::move(raw), limits_);
  if (!read) return read.error();
  for (const EtcdStep& step : read->repairs) {
    if (auto status = apply(step); !status) return status.error();
  }
  contents_ = std::move(read->contents);
  return std::move(read->values);
}

Status EtcdStore::commit(const KeyValueBatch& batch) {
  if (!plan_) {
    plan_ = plan_commit(election_->prefix(), contents_, batch, limits_);
    done_ = 0;
  }
  for (; done_ < plan_->steps.size(); ++done_) {
    if (auto status = apply(plan_->steps[done_]); !status) return status;
  }
  contents_ = std::move(plan_->after);
  plan_.reset();
  return {};
}

Status EtcdStore::apply(const EtcdStep& step) {
  const std::string leader = etcd_leader_key(election_->prefix());
  const std::string head = etcd_head_key(election_->prefix());
  EtcdTxn txn;
  txn.compares = {{leader, election_->term().create_revision}, {head}};
  if (!step.head_before.empty()) txn.compares[1].value = step.head_before;
  txn.then = step.ops;
  if (step.head_after != step.head_before) {
    txn.then.push_back({EtcdOp::Kind::kPut, head, step.head_after});
  }
  txn.otherwise = {{EtcdOp::Kind::kGet, leader}, {EtcdOp::Kind::kGet, head}};
  const auto answer = client_->txn(txn);
  if (!answer) return answer.error().within("writing the coordinator metadata");
  if (answer->succeeded) return {};
  bool leads = false;
  std::string head_now;
  for (const EtcdEntry& entry : answer->entries) {
    if (entry.key == head) head_now = entry.value;
    if (entry.key == leader) {
      leads = entry.create_revision == election_->term().create_revision;
    }
  }
  if (!leads) return Error{ErrorCode::kFenced, "another coordinator has taken the lead"};
  // An attempt whose answer was lost had been taken.
  if (head_now == step.head_after && step.head_after != step.head_before) return {};
  return corrupt_error("the coordinator metadata in etcd were changed by somebody else");
}

}  // namespace tidemill
