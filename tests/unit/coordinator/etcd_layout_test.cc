// Commits as transactions of etcd: whatever is interrupted, and wherever, what is read is the state
// before or after a commit, and nothing is left behind.
#include "coordinator/etcd_layout.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

constexpr char kPrefix[] = "t/";
constexpr EtcdLimits kTight{8, 200, 3};

using Raw = std::map<std::string, std::string>;

// What etcd does with a step. False: it was refused.
bool apply_step(const EtcdStep& step, Raw* raw) {
  const auto head = raw->find(etcd_head_key(kPrefix));
  if ((head == raw->end() ? "" : head->second) != step.head_before) return false;
  for (const EtcdOp& op : step.ops) {
    if (op.kind == EtcdOp::Kind::kPut) {
      (*raw)[op.key] = op.value;
    } else {
      std::erase_if(*raw, [&](const auto& entry) {
        return op.kind == EtcdOp::Kind::kRemove ? entry.first == op.key
                                                : entry.first.starts_with(op.key);
      });
    }
  }
  if (!step.head_after.empty()) (*raw)[etcd_head_key(kPrefix)] = step.head_after;
  return true;
}

void apply_batch(const KeyValueBatch& batch, KeyValues* values) {
  for (const auto& [key, value] : batch) {
    if (value) {
      (*values)[key] = *value;
    } else {
      values->erase(key);
    }
  }
}

// Of each: a key, and a value's length; -1: removed. Few keys, so that they meet again.
using Drawn = std::vector<std::pair<uint8_t, int8_t>>;

KeyValueBatch batch_of(const Drawn& drawn, char fill) {
  std::map<std::string, std::optional<std::string>> changes;
  for (const auto& [key, length] : drawn) {
    auto& value = changes["k" + std::to_string(key % 12)];
    value.reset();
    if (length >= 0) value = std::string(static_cast<size_t>(length), fill);
  }
  KeyValueBatch batch;
  for (auto& [key, value] : changes) batch.push_back({key, std::move(value)});
  return batch;
}

RC_GTEST_PROP(EtcdLayout, ACommitIsAllOrNothingWhereverItIsInterrupted, ()) {
  Raw raw;
  KeyValues values;
  const auto commits = *rc::gen::arbitrary<std::vector<Drawn>>();
  char fill = 'a';
  for (const Drawn& drawn : commits) {
    auto read = read_contents(kPrefix, raw, kTight);
    RC_ASSERT(read.ok());
    RC_ASSERT(read->values == values);
    for (const EtcdStep& step : read->repairs) RC_ASSERT(apply_step(step, &raw));
    const auto batch = batch_of(drawn, fill++);
    const auto plan = plan_commit(kPrefix, read->contents, batch, kTight);
    const auto done = *rc::gen::inRange<size_t>(0, plan.steps.size() + 1);
    bool committed = false;
    for (size_t i = 0; i < done; ++i) {
      RC_ASSERT(apply_step(plan.steps[i], &raw));
      committed = committed || plan.steps[i].head_after != read->contents.head;
    }
    if (committed) apply_batch(batch, &values);
  }
  const auto read = read_contents(kPrefix, raw, kTight);
  RC_ASSERT(read.ok());
  RC_ASSERT(read->values == values);
}

RC_GTEST_PROP(EtcdLayout, EveryTransactionIsWithinTheLimits, (const Drawn& drawn)) {
  const auto plan = plan_commit(kPrefix, {}, batch_of(drawn, 'x'), kTight);
  for (const EtcdStep& step : plan.steps) {
    RC_ASSERT(step.ops.size() <= kTight.txn_ops);
    size_t bytes = 0;
    for (const EtcdOp& op : step.ops) {
      bytes += op.key.size() + op.value.size();
      RC_ASSERT(op.value.size() <= kTight.value_bytes + 16);
    }
    RC_ASSERT(bytes <= kTight.txn_bytes);
  }
}

RC_GTEST_PROP(EtcdLayout, AStepThatIsRepeatedIsRefusedOrChangesNothing, (const Drawn& drawn)) {
  Raw raw;
  const auto plan = plan_commit(kPrefix, {}, batch_of(drawn, 'x'), kTight);
  for (const EtcdStep& step : plan.steps) {
    RC_ASSERT(apply_step(step, &raw));
    const Raw once = raw;
    apply_step(step, &raw);
    RC_ASSERT(raw == once);
  }
  const auto read = read_contents(kPrefix, raw, kTight);
  RC_ASSERT(read.ok());
  RC_ASSERT(read->contents == plan.after);
  RC_ASSERT(read->repairs.empty());
}

TEST(EtcdLayout, ASmallCommitIsOneTransaction) {
  const auto plan = plan_commit(kPrefix, {}, {{"a", "1"}, {"b", std::nullopt}}, EtcdLimits{});
  ASSERT_EQ(plan.steps.size(), 1u);
  EXPECT_EQ(plan.steps[0].head_before, "");
  EXPECT_EQ(plan.steps[0].ops.size(), 2u);
}

TEST(EtcdLayout, PiecesOfAValueGoWithIt) {
  Raw raw;
  auto plan = plan_commit(kPrefix, {}, {{"a", std::string(100, 'a')}}, kTight);
  for (const auto& step : plan.steps) ASSERT_TRUE(apply_step(step, &raw));
  EXPECT_GT(raw.size(), 10u);
  plan = plan_commit(kPrefix, plan.after, {{"a", "short"}}, kTight);
  for (const auto& step : plan.steps) ASSERT_TRUE(apply_step(step, &raw));
  EXPECT_EQ(raw.size(), 2u);  // the value and the head
}

Raw written() {
  Raw raw;
  const auto plan = plan_commit(kPrefix, {}, {{"a", std::string(100, 'a')}, {"b", "1"}}, kTight);
  for (const auto& step : plan.steps) EXPECT_TRUE(apply_step(step, &raw));
  return raw;
}

TEST(EtcdLayout, WhatIsNotWhatWasWrittenIsRefused) {
  const Raw good = written();
  ASSERT_TRUE(read_contents(kPrefix, good, kTight).ok());
  for (const auto& [key, value] : good) {
    if (!key.starts_with("t/chunk/")) continue;
    Raw raw = good;
    raw[key][0] ^= 1;
    EXPECT_EQ(read_contents(kPrefix, raw, kTight).error().code(), ErrorCode::kCorrupt) << key;
    raw = good;
    raw.erase(key);
    EXPECT_EQ(read_contents(kPrefix, raw, kTight).error().code(), ErrorCode::kCorrupt) << key;
  }
  Raw raw = good;
  raw["t/data/b"] = "\xff";
  EXPECT_FALSE(read_contents(kPrefix, raw, kTight).ok());
  raw = good;
  raw.erase("t/head");
  EXPECT_FALSE(read_contents(kPrefix, raw, kTight).ok());
  proto::EtcdHead head;
  head.set_format_version(kEtcdFormatVersion + 1);
  raw["t/head"] = head.SerializeAsString();
  EXPECT_FALSE(read_contents(kPrefix, raw, kTight).ok());
}

}  // namespace
}  // namespace tidemill
