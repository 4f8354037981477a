// ReadGateway: the actor behind the store's HTTP: turns a request into reads of the shards that
// hold its keys, under one as_of, and their answers into a response. Routes:
//   POST /v1/features   GET /v1/jobs/<job>/keys?view=V&limit=N   GET /health
//   POST /get-online-features, for Feast's SDK; that and /health also under /jobs/<job>
// Large requests are read, and large answers written, on the blocking pool: the agent that keeps
// the store's lease is on this shard too. shard-affine (shard 0)
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "serving/feature_read.h"
#include "serving/features_request.h"
#include "serving/store_routes.h"
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
  ReadGateway(Runtime& runtime, uint16_t shards, ReadLimits limits = {});

  void receive(Message message) override;
  void start() override;
  void on_timer(uint64_t token) override;

 private:
  // What the blocking pool made of a large request.
  struct Planned;
  struct Written;
  struct Pending {
    HttpResponder respond;
    FeatureRead read;  // only `refuse`, while the blocking pool has the rest
    // By shard what it has not been asked yet: a shard gets one piece of a request at a time.
    std::map<uint16_t, std::deque<std::unique_ptr<ReadRequest>>> unasked;
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
  HttpResponse health(const std::string& job) const;
  void on_read_call(StoreHttpCall call, const StoreTarget& target);
  void on_keys_call(StoreHttpCall call, const std::string& job);
  Pending& add_pending(uint64_t id, HttpResponder respond);
  void end(uint64_t id, HttpResponse response);
  void on_planned(Planned planned);
  void begin(uint64_t id, ReadOrRefusal planned);
  void ask_edge(uint64_t id, Pending* pending);
  void ask_shards(uint64_t id, Pending* pending);
  void ask_next(uint16_t shard, Pending* pending);
  void on_edge(const EdgeAnswer& answer);
  void on_answer(uint16_t shard, ReadAnswer answer);
  void on_keys(const KeysAnswer& answer);
  void finish(uint64_t id);
  void write_answer(uint64_t id);

  Runtime& runtime_;
  uint16_t shards_;
  ReadLimits limits_;
  std::shared_ptr<const ClusterState> view_;
  std::set<uint16_t> ready_shards_;
  uint64_t next_request_ = 1;
  std::map<uint64_t, Pending> pending_;
  std::map<uint64_t, PendingKeys> pending_keys_;
};

}  // namespace tidemill
