// ReadGateway: the actor behind the store's HTTP: turns a request into reads of the shards that
// hold its keys, under one as_of, and their answers into a response. Routes:
//   POST /v1/features   GET /v1/jobs/<job>/keys?view=V&limit=N   GET /health
// shard-affine (shard 0)
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serving/features_request.h"
#include "serving/store_shard.h"
#include "shared/net/http_server.h"
#include "shared/runtime/runtime.h"

namespace tidemill {

// An HTTP request on its way to the gateway.
struct StoreHttpCall : LocalPayload {
  HttpRequest request;
  HttpResponder respond;
};

class ReadGateway : public Actor {
 public:
  ReadGateway(Runtime& runtime, uint16_t shards);

  void receive(Message message) override;
  void start() override;
  void on_timer(uint64_t token) override;

 private:
  // The features of one view in a request.
  struct Group {
    const ViewSpec* view = nullptr;
    std::vector<const FeatureSpec*> specs;
    std::vector<size_t> columns;  // of the response, one per spec
  };
  struct Pending {
    HttpResponder respond;
    std::shared_ptr<const Plan> plan;
    JobId job;
    FeaturesRequest request;
    FeaturesResponse response;
    std::vector<Group> groups;
    std::vector<std::vector<ReadRequest::Key>> keys;  // by group, one per row
    size_t outstanding = 0;
    int64_t begun_us = 0;
    int rounds = 0;
    TimeUs edge = kMinTime;
    TimeUs horizon = kMinTime;
  };
  struct PendingKeys {
    HttpResponder respond;
    const ViewSpec* view = nullptr;
    std::shared_ptr<const Plan> plan;
    size_t outstanding = 0;
    uint32_t limit = 0;
    std::vector<std::string> keys;
    int64_t begun_us = 0;
  };

  void on_http(StoreHttpCall call);
  void on_features(StoreHttpCall call);
  void on_keys_call(StoreHttpCall call);
  const JobInView* find_job(const std::string& name) const;
  Result<void> expand_features(Pending* pending, int* http_status) const;
  Result<void> add_feature(Pending* pending, const ViewSpec& view, const FeatureSpec& spec) const;
  Result<void> build_keys(Pending* pending) const;
  void ask_edge(uint64_t id, Pending* pending);
  void ask_shards(uint64_t id, Pending* pending);
  void on_edge(const EdgeAnswer& answer);
  void on_answer(ReadAnswer answer);
  void on_keys(const KeysAnswer& answer);
  void finish(uint64_t id);

  Runtime& runtime_;
  uint16_t shards_;
  std::shared_ptr<const ClusterState> view_;
  uint64_t next_request_ = 1;
  std::map<uint64_t, Pending> pending_;
  std::map<uint64_t, PendingKeys> pending_keys_;
};

}  // namespace tidemill
