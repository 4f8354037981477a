// Leadership and metadata in etcd, against one that loses, delays and refuses.
#include "coordinator/etcd_store.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/coordinator/fake_etcd.h"

namespace tidemill {
namespace {

using testing::FakeEtcd;
using Fault = FakeEtcd::Fault;

constexpr char kPrefix[] = "t/";
constexpr int64_t kSecond = 1'000'000;

// One coordinator's side.
struct Candidate {
  Candidate(FakeEtcd* etcd, const std::string& address, EtcdLimits limits = {}) {
    election = std::make_shared<EtcdElection>(client(etcd), kPrefix, 3);
    election->set_address(address);
    store = std::make_unique<EtcdStore>(client(etcd), election, limits);
  }
  static std::unique_ptr<EtcdClient> client(FakeEtcd* etcd) {
    return std::make_unique<EtcdClient>(
        std::vector<std::string>{"http://e1", "http://e2", "http://e3"}, 100, etcd->transport());
  }
  std::shared_ptr<EtcdElection> election;
  std::unique_ptr<EtcdStore> store;
};

class EtcdStoreTest : public ::testing::Test {
 protected:
  void lead(Candidate* candidate) {
    const auto stood = candidate->election->stand();
    ASSERT_TRUE(stood.ok()) << stood.error().message();
    ASSERT_TRUE(stood->leads);
  }
  KeyValues load(Candidate* candidate) {
    auto values = candidate->store->load();
    EXPECT_TRUE(values.ok()) << values.error().message();
    return values.ok() ? *values : KeyValues{};
  }
  // The next calls meet these, one each.
  void meet(std::vector<Fault> faults) {
    etcd.faults = [faults, i = size_t{0}](const std::string&) mutable {
      return i < faults.size() ? faults[i++] : Fault::kNone;
    };
  }

  int64_t now_us = 5 * kSecond;
  FakeEtcd etcd{[this] { return now_us; }};
  Candidate a{&etcd, "a:1"};
  Candidate b{&etcd, "b:1"};
};

TEST_F(EtcdStoreTest, OneLeadsAndTheOtherIsToldWho) {
  lead(&a);
  const auto other = b.election->stand();
  ASSERT_TRUE(other.ok());
  EXPECT_FALSE(other->leads);
  EXPECT_EQ(other->leader, "a:1");
  EXPECT_EQ(etcd.leases(), 1u);
}

TEST_F(EtcdStoreTest, ALeaderThatRenewsStaysAndOneThatDoesNotIsFollowed) {
  lead(&a);
  for (int i = 0; i < 5; ++i) {
    now_us += 2 * kSecond;
    EXPECT_TRUE(a.election->renew().ok());
    EXPECT_FALSE(b.election->stand()->leads);
  }
  now_us += 3 * kSecond;
  EXPECT_TRUE(b.election->stand()->leads);
  const auto renewed = a.election->renew();
  ASSERT_FALSE(renewed.ok());
  EXPECT_EQ(renewed.error().code(), ErrorCode::kFenced);
}

TEST_F(EtcdStoreTest, ALeaderThatResignsIsFollowedAtOnce) {
  lead(&a);
  a.election->resign();
  EXPECT_TRUE(b.election->stand()->leads);
}

TEST_F(EtcdStoreTest, WhoWonWithoutBeingToldLeads) {
  meet({Fault::kNone, Fault::kNone, Fault::kAnswerLost});  // range, grant, the transaction
  lead(&a);
  EXPECT_FALSE(b.election->stand()->leads);
  ASSERT_TRUE(a.store->load().ok());
  EXPECT_TRUE(a.store->commit({{"k", "v"}}).ok());  // its term is the right one
}

TEST_F(EtcdStoreTest, ACandidateWithoutEtcdIsNoLeaderAndMayTryAgain) {
  etcd.faults = [](const std::string&) { return Fault::kRefused; };
  const auto stood = a.election->stand();
  ASSERT_FALSE(stood.ok());
  EXPECT_EQ(stood.error().code(), ErrorCode::kRetryable);
  etcd.faults = nullptr;
  lead(&a);
}

TEST_F(EtcdStoreTest, ADeposedLeadersCommitIsRefused) {
  lead(&a);
  load(&a);
  ASSERT_TRUE(a.store->commit({{"k", "of a"}}).ok());
  now_us += 4 * kSecond;
  lead(&b);
  EXPECT_EQ(load(&b), (KeyValues{{"k", "of a"}}));
  const auto late = a.store->commit({{"k", "late"}, {"l", "late"}});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code(), ErrorCode::kFenced);
  ASSERT_TRUE(b.store->commit({{"m", "of b"}}).ok());
  EXPECT_EQ(load(&b), (KeyValues{{"k", "of a"}, {"m", "of b"}}));
}

TEST_F(EtcdStoreTest, ACommitThatArrivesAfterItsLeaderWasDeposedChangesNothing) {
  lead(&a);
  load(&a);
  meet({Fault::kDelayed, Fault::kDelayed, Fault::kDelayed});  // at every endpoint
  const auto unknown = a.store->commit({{"k", "late"}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code(), ErrorCode::kRetryable);
  now_us += 4 * kSecond;
  lead(&b);
  load(&b);
  while (etcd.delayed() > 0) etcd.deliver(0);
  ASSERT_TRUE(b.store->commit({{"m", "of b"}}).ok());
  EXPECT_EQ(load(&b), (KeyValues{{"m", "of b"}}));
}

TEST_F(EtcdStoreTest, ACommitThatArrivesLateDoesNotUndoALaterOne) {
  lead(&a);
  load(&a);
  meet({Fault::kDelayed});  // and the next endpoint takes it
  ASSERT_TRUE(a.store->commit({{"k", "1"}}).ok());
  ASSERT_TRUE(a.store->commit({{"k", "2"}}).ok());
  ASSERT_EQ(etcd.delayed(), 1u);
  etcd.deliver(0);
  EXPECT_EQ(load(&a), (KeyValues{{"k", "2"}}));
}

TEST_F(EtcdStoreTest, ACommitWaitsForEtcdAndGoesOn) {
  lead(&a);
  load(&a);
  etcd.faults = [](const std::string&) { return Fault::kRefused; };
  const KeyValueBatch batch{{"k", "v"}};
  for (int i = 0; i < 3; ++i) {
    const auto status = a.store->commit(batch);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code(), ErrorCode::kRetryable);
  }
  etcd.faults = nullptr;
  ASSERT_TRUE(a.store->commit(batch).ok());
  EXPECT_EQ(load(&a), (KeyValues{{"k", "v"}}));
}

TEST_F(EtcdStoreTest, MetadataBeyondEtcdsLimitsAreOneCommitAllTheSame) {
  lead(&a);
  load(&a);
  KeyValueBatch batch;
  batch.push_back({"big", std::string(5u << 20, 'x')});
  for (int i = 0; i < 400; ++i) {
    batch.push_back({"key" + std::to_string(i), std::string(10'000, static_cast<char>(i))});
  }
  const auto status = a.store->commit(batch);
  ASSERT_TRUE(status.ok()) << status.error().message();
  KeyValues expected;
  for (const auto& [key, value] : batch) expected[key] = *value;
  EXPECT_EQ(load(&a), expected);
  EXPECT_GT(etcd.most_ops(), 50u);
  EXPECT_GT(etcd.longest_bytes(), 500'000u);
  for (auto& change : batch) change.value.reset();
  ASSERT_TRUE(a.store->commit(batch).ok());
  EXPECT_TRUE(load(&a).empty());
  EXPECT_EQ(etcd.contents().size(), 2u);  // the leader and the head
}

TEST_F(EtcdStoreTest, MetadataThatSomebodyElseChangedAreRefused) {
  lead(&a);
  load(&a);
  ASSERT_TRUE(a.store->commit({{"k", "v"}}).ok());
  etcd.put("t/head", "somebody else's");
  EXPECT_EQ(a.store->commit({{"k", "w"}}).error().code(), ErrorCode::kCorrupt);
}

TEST_F(EtcdStoreTest, WhatEtcdWillNeverTakeIsNotTriedAgain) {
  EtcdTxn txn;
  for (int i = 0; i < 200; ++i) txn.then.push_back({EtcdOp::Kind::kPut, std::to_string(i), "v"});
  const auto answer = Candidate::client(&etcd)->txn(txn);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code(), ErrorCode::kFatal);
}

TEST(EtcdClient, RefusesAnswersThatAreNotEtcds) {
  for (const char* body : {"", "[]", "{}", "{\"header\":3}", "<html>"}) {
    EtcdClient client({"http://e"}, 100,
                      [body](const std::string&, const std::string&, int) -> Result<HttpResponse> {
                        HttpResponse response;
                        response.body = body;
                        return response;
                      });
    EXPECT_FALSE(client.grant(3).ok()) << body;
    EXPECT_FALSE(client.txn({}).ok()) << body;
  }
}

TEST(EtcdClient, ReadsListsOfEndpoints) {
  const auto endpoints = parse_etcd_endpoints("http://10.0.0.1:2379,10.0.0.2:2379/");
  ASSERT_TRUE(endpoints.ok());
  EXPECT_EQ(*endpoints, (std::vector<std::string>{"http://10.0.0.1:2379", "http://10.0.0.2:2379"}));
  for (const char* bad : {"", ",", "a:1,", "https://a:1", "a", "http://a:1/x", "a b:1"}) {
    EXPECT_FALSE(parse_etcd_endpoints(bad).ok()) << bad;
  }
}

// Two coordinators, an etcd that misbehaves: whatever a commit reported is there, in order, and
// what a deposed leader sent is not.
RC_GTEST_PROP(EtcdFaults, WhatWasCommittedStays, ()) {
  int64_t now_us = kSecond;
  FakeEtcd etcd([&] { return now_us; });
  const EtcdLimits tight{8, 300, 4};
  const auto draw = [](int most) { return *rc::gen::inRange(0, most); };
  etcd.faults = [&](const std::string&) {
    const int kind = draw(12);
    return kind < 4 ? static_cast<Fault>(kind + 1) : Fault::kNone;
  };
  KeyValues committed;
  std::optional<KeyValueBatch> unknown;  // of the last leader: it may have been committed
  for (int term = 0; term < 3; ++term) {
    Candidate leader(&etcd, "c" + std::to_string(term), tight);
    bool leads = false;
    for (int i = 0; i < 60 && !leads; ++i) {
      const auto stood = leader.election->stand();
      leads = stood.ok() && stood->leads;
      now_us += kSecond;
    }
    if (!leads) continue;
    (void)leader.election->renew();
    auto values = leader.store->load();
    for (int i = 0; i < 60 && !values.ok(); ++i) {
      RC_ASSERT(values.error().code() != ErrorCode::kCorrupt);
      values = leader.store->load();
    }
    if (!values.ok()) continue;
    if (unknown && *values != committed) {
      for (const auto& [key, value] : *unknown) committed[key] = *value;
    }
    unknown.reset();
    RC_ASSERT(*values == committed);
    const int commits = draw(5);
    for (int c = 0; c < commits; ++c) {
      KeyValueBatch batch;
      const int keys = 1 + draw(8);
      for (int k = 0; k < keys; ++k) {
        batch.push_back(
            {"k" + std::to_string(k), std::string(draw(30), static_cast<char>('a' + c))});
      }
      auto status = leader.store->commit(batch);
      for (int i = 0; i < 40 && !status.ok(); ++i) {
        RC_ASSERT(status.error().code() == ErrorCode::kRetryable);
        if (etcd.delayed() > 0 && draw(2) == 0)
          etcd.deliver(draw(static_cast<int>(etcd.delayed())));
        status = leader.store->commit(batch);
      }
      if (!status.ok()) {
        unknown = batch;
        break;
      }
      for (const auto& [key, value] : batch) committed[key] = *value;
    }
    now_us += 10 * kSecond;  // it is deposed
    if (!unknown) {
      RC_ASSERT(!leader.store->commit({{"k0", "zombie"}}).ok());
    }
  }
}

}  // namespace
}  // namespace tidemill
