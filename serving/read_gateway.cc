#include "serving/read_gateway.h"

#include "serving/entity_keys.h"
#include "serving/feast_api.h"
#include "serving/features_api.h"
#include "serving/features_json.h"
#include "shared/net/query_string.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

constexpr size_t kMaxPending = 10'000;
constexpr uint32_t kMaxKeys = 1'000;
constexpr int64_t kTickUs = 1'000'000;
constexpr int64_t kGiveUpUs = 10'000'000;  // on shards that were asked
constexpr int kMaxRounds = 8;
// Beyond these the blocking pool does it: below, it takes some milliseconds at most.
constexpr size_t kBytesReadHere = 1 << 20;
constexpr size_t kValuesWrittenHere = 16'384;

const JobInView* find_job(const ClusterState& view, const std::string& name) {
  for (const auto& [id, job] : view.jobs) {
    if (job.plan->proto().job() == name) return &job;
  }
  return nullptr;
}

ReadOrRefusal plan_read(const StoreTarget& target, const std::string& body,
                        const ClusterState& view, const ReadLimits& limits) {
  if (target.route == StoreRoute::kFeastFeatures) {
    return plan_feast_read(body, target.job, view, limits);
  }
  const auto request = parse_features_request(body, limits);
  if (!request) return http_error(400, request.error().message());
  const JobInView* job = find_job(view, request->job);
  if (job == nullptr) {
    return http_error(404, "job: no running job is called '" + request->job + "'");
  }
  return plan_features_read(*request, *job, limits);
}

// Feast's way for its own path.
HttpResponse refuse(StoreRoute route, int status, const std::string& message) {
  return route == StoreRoute::kFeastFeatures ? feast_refusal(status, message)
                                             : http_error(status, message);
}

HttpResponse wrong_method(const StoreTarget& target) {
  HttpResponse out =
      target.route == StoreRoute::kFeastFeatures
          ? HttpResponse{405, "application/json", R"({"detail":"Method Not Allowed"})"}
          : http_error(405, target.path + " takes " + method_of(target.route));
  out.allow = method_of(target.route);
  return out;
}

}  // namespace

struct ReadGateway::Planned : LocalPayload {
  uint64_t request = 0;
  std::optional<ReadOrRefusal> planned;
};

struct ReadGateway::Written : LocalPayload {
  uint64_t request = 0;
  HttpResponse response;
};

ReadGateway::ReadGateway(Runtime& runtime, uint16_t shards, ReadLimits limits)
    : runtime_(runtime), shards_(shards), limits_(limits) {}

void ReadGateway::start() { runtime_.start_timer(kReadGateway, kTickUs, 0); }

// A request or an answer that a full mailbox refused leaves its call waiting: that ends here.
void ReadGateway::on_timer(uint64_t) {
  const int64_t limit_us = runtime_.monotonic_us() - kGiveUpUs;
  const std::string message = "overloaded: no answer in time, try again soon";
  std::erase_if(pending_, [&](auto& entry) {
    if (entry.second.begun_us > limit_us) return false;
    entry.second.respond(entry.second.read.refuse(503, message));
    return true;
  });
  std::erase_if(pending_keys_, [&](auto& entry) {
    if (entry.second.begun_us > limit_us) return false;
    entry.second.respond(http_error(503, message));
    return true;
  });
  runtime_.start_timer(kReadGateway, kTickUs, 0);
}

void ReadGateway::receive(Message message) {
  LocalPayload* local = message.local.get();
  if (auto* call = dynamic_cast<StoreHttpCall*>(local)) {
    on_http(std::move(*call));
  } else if (auto* answer = dynamic_cast<ReadAnswer*>(local)) {
    on_answer(message.from.actor.shard, std::move(*answer));
  } else if (auto* planned = dynamic_cast<Planned*>(local)) {
    on_planned(std::move(*planned));
  } else if (auto* written = dynamic_cast<Written*>(local)) {
    end(written->request, std::move(written->response));
  } else if (auto* edge = dynamic_cast<EdgeAnswer*>(local)) {
    on_edge(*edge);
  } else if (auto* keys = dynamic_cast<KeysAnswer*>(local)) {
    on_keys(*keys);
  } else if (auto* changed = dynamic_cast<ViewChanged*>(local)) {
    view_ = changed->view;
  } else if (const auto* ready = dynamic_cast<ShardReady*>(local)) {
    ready_shards_.insert(ready->shard);
  }
}

void ReadGateway::on_http(StoreHttpCall call) {
  const auto target = parse_target(call.request.target);
  if (!target) {
    return call.respond(http_error(
        404,
        "no such path: there are POST /v1/features, GET /v1/jobs/<job>/keys, GET /health, and for "
        "Feast POST /get-online-features, also under /jobs/<job>"));
  }
  if (call.request.method != method_of(target->route)) return call.respond(wrong_method(*target));
  if (target->route == StoreRoute::kHealth) return call.respond(health(target->job));
  if (!view_) {
    return call.respond(
        refuse(target->route, 503,
               "not ready: this store has not heard from the coordinator yet, try again soon"));
  }
  if (pending_.size() + pending_keys_.size() >= kMaxPending) {
    return call.respond(refuse(target->route, 503, "too many requests under way, try again soon"));
  }
  switch (target->route) {
    case StoreRoute::kFeatures:
    case StoreRoute::kFeastFeatures:
      return on_read_call(std::move(call), *target);
    case StoreRoute::kKeys:
      return on_keys_call(std::move(call), target->job);
    case StoreRoute::kHealth:
      break;
  }
}

// 503 until what this store held when it started can be read again.
HttpResponse ReadGateway::health(const std::string& job) const {
  if (!view_) {
    return http_error(503, "not ready: this store has not heard from the coordinator yet");
  }
  if (!job.empty() && find_job(*view_, job) == nullptr) {
    return http_error(404, "no running job is called '" + job + "'");
  }
  if (ready_shards_.size() < shards_) {
    return http_error(503,
                      "not ready: what this store has on disk has not been brought up to date "
                      "by the workers yet");
  }
  return {200, "application/json", "{\"status\":\"ok\"}"};
}

void ReadGateway::on_read_call(StoreHttpCall call, const StoreTarget& target) {
  const uint64_t id = next_request_++;
  Pending& pending = add_pending(id, std::move(call.respond));
  pending.read.refuse = [route = target.route](int status, const std::string& message) {
    return refuse(route, status, message);
  };
  if (call.request.body.size() <= kBytesReadHere) {
    return begin(id, plan_read(target, call.request.body, *view_, limits_));
  }
  auto body = std::make_shared<std::string>(std::move(call.request.body));
  runtime_.run_blocking(kReadGateway, id, [id, target, body, view = view_, limits = limits_] {
    auto out = std::make_unique<Planned>();
    out->request = id;
    out->planned = plan_read(target, *body, *view, limits);
    *body = {};
    return out;
  });
}

ReadGateway::Pending& ReadGateway::add_pending(uint64_t id, HttpResponder respond) {
  Pending& pending = pending_[id];
  pending.respond = std::move(respond);
  pending.begun_us = runtime_.monotonic_us();
  return pending;
}

void ReadGateway::end(uint64_t id, HttpResponse response) {
  const auto it = pending_.find(id);
  if (it == pending_.end()) return;
  it->second.respond(std::move(response));
  pending_.erase(it);
}

void ReadGateway::on_planned(Planned planned) {
  if (pending_.contains(planned.request)) begin(planned.request, *std::move(planned.planned));
}

void ReadGateway::begin(uint64_t id, ReadOrRefusal planned) {
  if (auto* refusal = std::get_if<HttpResponse>(&planned)) return end(id, std::move(*refusal));
  Pending& pending = pending_.at(id);
  pending.read = std::get<FeatureRead>(std::move(planned));
  FeatureRead& read = pending.read;
  if (!read.as_of && read.plan->proto().leading_edge() != proto::JobPlan::WALL) {
    return ask_edge(id, &pending);
  }
  read.response.as_of = read.as_of ? *read.as_of : runtime_.wall_us();
  ask_shards(id, &pending);
}

void ReadGateway::ask_edge(uint64_t id, Pending* pending) {
  pending->outstanding = shards_;
  for (uint16_t shard = 0; shard < shards_; ++shard) {
    auto request = std::make_unique<EdgeRequest>();
    request->request = id;
    request->job = pending->read.job;
    runtime_.post_local(kReadGateway, {shard, kStoreShardIndex}, std::move(request));
  }
}

void ReadGateway::on_edge(const EdgeAnswer& answer) {
  const auto it = pending_.find(answer.request);
  if (it == pending_.end()) return;
  it->second.edge = std::max(it->second.edge, answer.edge);
  if (--it->second.outstanding > 0) return;
  // Before the first event there is no event time to stand at: windows are empty at any.
  it->second.read.response.as_of = it->second.edge == kMinTime ? 0 : it->second.edge;
  ask_shards(it->first, &it->second);
}

void ReadGateway::ask_shards(uint64_t id, Pending* pending) {
  pending->outstanding = 0;
  for (auto& [shard, requests] : pending->read.requests(id, shards_)) {
    pending->outstanding += requests.size();
    auto& unasked = pending->unasked[shard];
    std::move(requests.begin(), requests.end(), std::back_inserter(unasked));
    ask_next(shard, pending);
  }
}

void ReadGateway::ask_next(uint16_t shard, Pending* pending) {
  auto& unasked = pending->unasked[shard];
  if (unasked.empty()) return;
  runtime_.post_local(kReadGateway, {shard, kStoreShardIndex}, std::move(unasked.front()));
  unasked.pop_front();
}

void ReadGateway::on_answer(uint16_t shard, ReadAnswer answer) {
  const auto it = pending_.find(answer.request);
  if (it == pending_.end()) return;
  Pending& pending = it->second;
  pending.horizon = std::max(pending.horizon, answer.horizon);
  pending.read.take(std::move(answer));
  if (Status fits = pending.read.check_text(limits_); !fits.ok()) {
    return end(it->first, pending.read.refuse(400, fits.error().message()));
  }
  ask_next(shard, &pending);
  if (--pending.outstanding == 0) finish(it->first);
}

void ReadGateway::finish(uint64_t id) {
  Pending& pending = pending_.at(id);
  FeatureRead& read = pending.read;
  const TimeUs as_of = read.response.as_of;
  if (as_of >= pending.horizon) return write_answer(id);
  if (read.as_of) {
    return end(id,
               read.refuse(400, "as_of: " + format_timestamp(as_of) + " is before the horizon " +
                                    format_timestamp(pending.horizon) +
                                    ", older rows are no longer kept; raise the job's "
                                    "allowed_lateness to ask further back"));
  }
  if (++pending.rounds == kMaxRounds) {
    return end(id, read.refuse(503,
                               "not ready: event time moves faster than this store reads, try "
                               "again"));
  }
  read.forget();
  // The leading edge has moved on since it was asked for, far if no replica was ready then.
  if (read.plan->proto().leading_edge() != proto::JobPlan::WALL) return ask_edge(id, &pending);
  // The clock that events are stamped by is ahead of ours.
  read.response.as_of = pending.horizon;
  ask_shards(id, &pending);
}

void ReadGateway::write_answer(uint64_t id) {
  FeatureRead& read = pending_.at(id).read;
  if (read.values + read.text_bytes / kTextBytesPerValue <= kValuesWrittenHere) {
    return end(id, read.answer(read.response));
  }
  auto found = std::make_shared<FeatureRead>(std::move(read));
  read = {};
  read.refuse = found->refuse;
  runtime_.run_blocking(kReadGateway, id, [id, found] {
    const FeatureRead whole = std::move(*found);  // and is freed here too
    auto out = std::make_unique<Written>();
    out->request = id;
    out->response = whole.answer(whole.response);
    return out;
  });
}

void ReadGateway::on_keys_call(StoreHttpCall call, const std::string& name) {
  const JobInView* job = find_job(*view_, name);
  if (job == nullptr) {
    return call.respond(http_error(404, "no running job is called '" + name + "'"));
  }
  const auto query = parse_query(call.request.target);
  const auto view_name = query.find("view");
  const ViewSpec* view = view_name == query.end() ? nullptr : job->plan->view(view_name->second);
  if (view == nullptr) {
    return call.respond(
        http_error(400, "view: name a view of the job: " + known_views(*job->plan)));
  }
  uint32_t limit = 10;
  if (const auto text = query.find("limit"); text != query.end()) {
    const bool digits = !text->second.empty() && text->second.size() <= 4 &&
                        text->second.find_first_not_of("0123456789") == std::string::npos;
    limit = digits ? static_cast<uint32_t>(std::stoul(text->second)) : 0;
    if (limit < 1 || limit > kMaxKeys) {
      return call.respond(http_error(400, "limit: a whole number from 1 to 1000"));
    }
  }
  const uint64_t id = next_request_++;
  pending_keys_.emplace(
      id,
      PendingKeys{
          std::move(call.respond), view, job->plan, shards_, limit, {}, runtime_.monotonic_us()});
  for (uint16_t shard = 0; shard < shards_; ++shard) {
    auto request = std::make_unique<KeysRequest>();
    request->request = id;
    request->job = job->id;
    request->table = view->table;
    request->limit = limit;
    runtime_.post_local(kReadGateway, {shard, kStoreShardIndex}, std::move(request));
  }
}

void ReadGateway::on_keys(const KeysAnswer& answer) {
  const auto it = pending_keys_.find(answer.request);
  if (it == pending_keys_.end()) return;
  PendingKeys& pending = it->second;
  pending.keys.insert(pending.keys.end(), answer.keys.begin(), answer.keys.end());
  if (--pending.outstanding > 0) return;
  if (pending.keys.size() > pending.limit) pending.keys.resize(pending.limit);
  HttpResponse response;
  response.body = "{\"keys\":[";
  const auto& types = (*pending.plan->tables())[pending.view->table].key_types;
  for (size_t i = 0; i < pending.keys.size(); ++i) {
    if (i > 0) response.body += ',';
    response.body += entity_key_json(*pending.view, types, pending.keys[i]);
  }
  response.body += "]}";
  pending.respond(std::move(response));
  pending_keys_.erase(it);
}

}  // namespace tidemill
