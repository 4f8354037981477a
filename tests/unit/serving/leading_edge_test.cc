// Where a read stands that names no time, while replicas become ready.
#include <gtest/gtest.h>

#include "tests/unit/serving/test_store.h"

namespace tidemill::test {
namespace {

using nlohmann::json;

// A shard whose replicas become ready between the gateway's asking for the edge and its reading.
class ShardThatBecomesReady : public Actor {
 public:
  explicit ShardThatBecomesReady(Runtime& runtime) : runtime_(runtime) {}
  void receive(Message message) override {
    if (const auto* edge = dynamic_cast<EdgeRequest*>(message.local.get())) {
      auto answer = std::make_unique<EdgeAnswer>();
      answer->request = edge->request;
      if (ready_) answer->edge = kStart + 2 * kHour;
      runtime_.post_local({0, kStoreShardIndex}, kReadGateway, std::move(answer));
      ready_ = true;
    } else if (const auto* read = dynamic_cast<ReadRequest*>(message.local.get())) {
      auto answer = std::make_unique<ReadAnswer>();
      answer->request = read->request;
      answer->group = read->group;
      answer->horizon = kStart + kHour;
      for (const ReadRequest::Key& key : read->keys) {
        ReadAnswer::Key& found = answer->keys.emplace_back();
        found.row = key.row;
        found.key_partition = key.key_partition;
        found.status = ReadAnswer::Status::kPresent;
        found.values = {int64_t{7}};
      }
      runtime_.post_local({0, kStoreShardIndex}, kReadGateway, std::move(answer));
    }
  }
  void on_timer(uint64_t) override {}

 private:
  Runtime& runtime_;
  bool ready_ = false;
};

// It stood at the horizon: behind what the same store had answered before it began anew.
TEST(LeadingEdge, IsAskedForAgainWhenReplicasBecameReady) {
  Simulation sim(1, {});
  const SimProcessId store =
      sim.add_process({"store", "sim://store", kStoreNode, 1}, [](ProcessHost& h) {
        h.spawn({0, kStoreShardIndex},
                [](Runtime& r) { return std::make_unique<ShardThatBecomesReady>(r); });
        h.spawn(kReadGateway,
                [](Runtime& r) { return std::make_unique<ReadGateway>(r, 1, ReadLimits()); });
        h.spawn(kAgent, [](Runtime&) { return std::make_unique<FakeAgent>(); });
      });
  auto view = std::make_shared<ClusterState>();
  view->version = 1;
  view->jobs[JobId(1)].id = JobId(1);
  view->jobs[JobId(1)].plan = small_plan();
  auto changed = std::make_unique<ViewChanged>();
  changed->view = view;
  sim.post_from_outside(store, kReadGateway, std::move(changed));
  std::optional<HttpResponse> answer;
  auto call = std::make_unique<StoreHttpCall>();
  call->request = {
      "POST", "/v1/features", "application/json",
      R"({"job":"small","features":["customer.count_1h"],"entities":{"customer_id":["a"]}})"};
  call->respond = [&](HttpResponse response) { answer = std::move(response); };
  sim.post_from_outside(store, kReadGateway, std::move(call));
  sim.run_until([&] { return answer.has_value(); }, 1'000'000);
  ASSERT_TRUE(answer.has_value());
  ASSERT_EQ(answer->status, 200) << answer->body;
  const json body = json::parse(answer->body);
  EXPECT_EQ(body["as_of"], format_timestamp(kStart + 2 * kHour));
  EXPECT_EQ(body["results"][0]["values"], json{7});
}

TEST(LeadingEdge, FollowsEveryFrame) {
  TestStore store(1);
  store.show({small_plan()});
  const KeyPartitionId k(0);
  store.fill(k, {}, kStart);
  const auto as_of = [&] {
    const auto answer = store.call(
        "POST", "/v1/features",
        R"({"job":"small","features":["customer.count_1h"],"entities":{"customer_id":["a"]}})");
    return answer && answer->status == 200 ? json::parse(answer->body)["as_of"].get<std::string>()
                                           : "none";
  };
  EXPECT_EQ(as_of(), format_timestamp(kStart));
  for (uint64_t i = 1; i <= 6; ++i) {
    FramePart rows = TestStore::part(k, PartKind::kRows, 2 + i, 2 + i);
    rows.from_version = 1 + i;
    const TimeUs latest = kStart + static_cast<TimeUs>(i) * kMicrosPerSecond;
    rows.advances.push_back({SourcePartitionId(1), {17 + i, latest, false}});
    rows.current = true;
    rows.read_wall_us = store.sim.runtime(store.store).wall_us();
    store.send_part(rows);
    EXPECT_EQ(as_of(), format_timestamp(latest));
  }
}

}  // namespace
}  // namespace tidemill::test
