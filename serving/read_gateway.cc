#include "serving/read_gateway.h"

#include "serving/entity_keys.h"
#include "serving/features_json.h"
#include "shared/base/hash.h"
#include "shared/net/query_string.h"
#include "shared/wire/actors.h"

namespace tidemill {
namespace {

constexpr size_t kMaxPending = 10'000;
constexpr uint32_t kMaxKeys = 1'000;
constexpr int64_t kTickUs = 1'000'000;
constexpr int64_t kGiveUpUs = 10'000'000;  // on shards that were asked
constexpr int kMaxRounds = 8;

FeatureStatus to_status(ReadAnswer::Status status) {
  switch (status) {
    case ReadAnswer::Status::kPresent:
      return FeatureStatus::kPresent;
    case ReadAnswer::Status::kNotFound:
      return FeatureStatus::kNotFound;
    case ReadAnswer::Status::kNotReady:
      break;
  }
  return FeatureStatus::kNotReady;
}

std::string known_views(const Plan& plan) {
  std::string out;
  for (const ViewSpec& view : plan.views()) out += (out.empty() ? "" : ", ") + view.name;
  return out;
}

}  // namespace

ReadGateway::ReadGateway(Runtime& runtime, uint16_t shards) : runtime_(runtime), shards_(shards) {}

void ReadGateway::start() { runtime_.start_timer(kReadGateway, kTickUs, 0); }

// A request or an answer that a full mailbox refused leaves its call waiting: that ends here.
void ReadGateway::on_timer(uint64_t) {
  const int64_t limit_us = runtime_.monotonic_us() - kGiveUpUs;
  const auto give_up = [&](auto& entry) {
    if (entry.second.begun_us > limit_us) return false;
    entry.second.respond(http_error(503, "overloaded: no answer in time, try again soon"));
    return true;
  };
  std::erase_if(pending_, give_up);
  std::erase_if(pending_keys_, give_up);
  runtime_.start_timer(kReadGateway, kTickUs, 0);
}

void ReadGateway::receive(Message message) {
  LocalPayload* local = message.local.get();
  if (auto* call = dynamic_cast<StoreHttpCall*>(local)) {
    on_http(std::move(*call));
  } else if (auto* answer = dynamic_cast<ReadAnswer*>(local)) {
    on_answer(std::move(*answer));
  } else if (auto* edge = dynamic_cast<EdgeAnswer*>(local)) {
    on_edge(*edge);
  } else if (auto* keys = dynamic_cast<KeysAnswer*>(local)) {
    on_keys(*keys);
  } else if (auto* changed = dynamic_cast<ViewChanged*>(local)) {
    view_ = changed->view;
  }
}

void ReadGateway::on_http(StoreHttpCall call) {
  const std::string path = call.request.target.substr(0, call.request.target.find('?'));
  const bool get = call.request.method == "GET";
  if (path == "/health") {
    if (!get) return call.respond(http_error(405, "/health takes GET"));
    return call.respond({200, "application/json", "{\"status\":\"ok\"}"});
  }
  const bool keys = path.starts_with("/v1/jobs/") && path.ends_with("/keys");
  if (path != "/v1/features" && !keys) {
    return call.respond(http_error(
        404, "no such path: there are POST /v1/features, GET /v1/jobs/<job>/keys and GET /health"));
  }
  if (get != keys) {
    return call.respond(http_error(405, path + " takes " + (keys ? "GET" : "POST")));
  }
  if (!view_) {
    return call.respond(http_error(
        503, "not ready: this store has not heard from the coordinator yet, try again soon"));
  }
  if (pending_.size() + pending_keys_.size() >= kMaxPending) {
    return call.respond(http_error(503, "too many requests under way, try again soon"));
  }
  keys ? on_keys_call(std::move(call)) : on_features(std::move(call));
}

const JobInView* ReadGateway::find_job(const std::string& name) const {
  for (const auto& [id, job] : view_->jobs) {
    if (job.plan->proto().job() == name) return &job;
  }
  return nullptr;
}

void ReadGateway::on_features(StoreHttpCall call) {
  auto request = parse_features_request(call.request.body);
  if (!request) return call.respond(http_error(400, request.error().message()));
  const JobInView* job = find_job(request->job);
  if (job == nullptr) {
    return call.respond(http_error(404, "job: no running job is called '" + request->job + "'"));
  }
  const uint64_t id = next_request_++;
  Pending pending;
  pending.respond = std::move(call.respond);
  pending.plan = job->plan;
  pending.job = job->id;
  pending.begun_us = runtime_.monotonic_us();
  pending.request = std::move(request).value();
  int status = 400;
  if (auto expanded = expand_features(&pending, &status); !expanded) {
    return pending.respond(http_error(status, expanded.error().message()));
  }
  if (auto built = build_keys(&pending); !built) {
    return pending.respond(http_error(400, built.error().message()));
  }
  Pending& waiting = pending_.emplace(id, std::move(pending)).first->second;
  if (waiting.request.as_of) {
    waiting.response.as_of = *waiting.request.as_of;
    ask_shards(id, &waiting);
  } else if (waiting.plan->proto().leading_edge() == proto::JobPlan::WALL) {
    waiting.response.as_of = runtime_.wall_us();
    ask_shards(id, &waiting);
  } else {
    ask_edge(id, &waiting);
  }
}

Result<void> ReadGateway::add_feature(Pending* pending, const ViewSpec& view,
                                      const FeatureSpec& spec) const {
  if (pending->response.results.size() >= kMaxFeatureNames) {
    return user_error("features: at most " + std::to_string(kMaxFeatureNames) +
                      " in one request, patterns expanded");
  }
  auto group = std::find_if(pending->groups.begin(), pending->groups.end(),
                            [&](const Group& g) { return g.view == &view; });
  if (group == pending->groups.end()) {
    group = pending->groups.insert(pending->groups.end(), Group{&view, {}, {}});
  }
  group->specs.push_back(&spec);
  group->columns.push_back(pending->response.results.size());
  FeatureColumn& column = pending->response.results.emplace_back();
  column.name = view.name + "." + spec.name;
  const size_t rows = pending->request.rows();
  column.values.resize(rows);
  column.statuses.resize(rows, FeatureStatus::kNotReady);
  column.freshness_ms.resize(rows);
  column.resolution_us.resize(rows);
  return {};
}

Result<void> ReadGateway::expand_features(Pending* pending, int* http_status) const {
  const Plan& plan = *pending->plan;
  std::vector<std::string> names = pending->request.features;
  if (!pending->request.service.empty()) {
    for (const proto::Service& service : plan.proto().services()) {
      if (service.name() == pending->request.service) {
        names.assign(service.features().begin(), service.features().end());
      }
    }
    if (names.empty()) {
      *http_status = 404;
      return user_error("service: the job has no service '" + pending->request.service + "'");
    }
  }
  pending->response.job = pending->request.job;
  for (const std::string& name : names) {
    const size_t dot = name.find('.');
    const ViewSpec* view = plan.view(name.substr(0, dot));
    if (view == nullptr || dot == std::string::npos) {
      *http_status = dot == std::string::npos ? 400 : 404;
      return user_error("features: '" + name +
                        "' names no view; write <view>.<feature> or "
                        "<view>.*, with a view of: " +
                        known_views(plan));
    }
    const std::string feature = name.substr(dot + 1);
    bool found = false;
    for (const FeatureSpec& spec : view->features) {
      if (feature != "*" && spec.name != feature) continue;
      found = true;
      if (auto added = add_feature(pending, *view, spec); !added) return added;
    }
    if (!found) {
      *http_status = 404;
      return user_error("features: view '" + view->name + "' has no feature '" + feature +
                        "'; it has, among others, '" + view->features.front().name + "'");
    }
  }
  return {};
}

Result<void> ReadGateway::build_keys(Pending* pending) const {
  std::vector<const EntityColumn*> used;
  for (const Group& group : pending->groups) {
    const TableSchema& schema = (*pending->plan->tables())[group.view->table];
    std::vector<const EntityColumn*> columns;
    for (const std::string& join_key : group.view->entity) {
      const auto column =
          std::find_if(pending->request.entities.begin(), pending->request.entities.end(),
                       [&](const EntityColumn& c) { return c.name == join_key; });
      if (column == pending->request.entities.end()) {
        return user_error("entities: view '" + group.view->name + "' needs the join key '" +
                          join_key + "', one value per row");
      }
      columns.push_back(&*column);
      used.push_back(&*column);
    }
    auto& keys = pending->keys.emplace_back();
    for (uint32_t row = 0; row < pending->request.rows(); ++row) {
      auto key = encode_entity_key(*group.view, schema.key_types, columns, row);
      if (!key) return key.error();
      const uint64_t hash = hash_entity_key(*key, schema.entity_seed);
      const KeyPartitionId k(key_partition_of(hash, pending->plan->key_partitions()));
      keys.push_back({row, k, hash, std::move(key).value()});
    }
    if (pending->request.offsets) {
      if (!pending->response.offsets) pending->response.offsets.emplace();
      auto& offsets = pending->response.offsets->emplace_back();
      offsets.view = group.view->name;
      offsets.rows.resize(pending->request.rows());
    }
  }
  for (const EntityColumn& column : pending->request.entities) {
    if (std::find(used.begin(), used.end(), &column) == used.end()) {
      return user_error("entities." + column.name + ": not a join key of any view asked for");
    }
  }
  return {};
}

void ReadGateway::ask_edge(uint64_t id, Pending* pending) {
  pending->outstanding = shards_;
  for (uint16_t shard = 0; shard < shards_; ++shard) {
    auto request = std::make_unique<EdgeRequest>();
    request->request = id;
    request->job = pending->job;
    runtime_.post_local(kReadGateway, {shard, kStoreShardIndex}, std::move(request));
  }
}

void ReadGateway::on_edge(const EdgeAnswer& answer) {
  const auto it = pending_.find(answer.request);
  if (it == pending_.end()) return;
  it->second.edge = std::max(it->second.edge, answer.edge);
  if (--it->second.outstanding > 0) return;
  // Before the first event there is no event time to stand at: windows are empty at any.
  it->second.response.as_of = it->second.edge == kMinTime ? 0 : it->second.edge;
  ask_shards(it->first, &it->second);
}

void ReadGateway::ask_shards(uint64_t id, Pending* pending) {
  std::vector<std::pair<uint16_t, std::unique_ptr<ReadRequest>>> requests;
  for (uint32_t g = 0; g < pending->groups.size(); ++g) {
    std::map<uint16_t, std::unique_ptr<ReadRequest>> by_shard;
    for (const ReadRequest::Key& key : pending->keys[g]) {
      auto& request = by_shard[store_shard_of(key.key_partition, shards_)];
      if (!request) {
        request = std::make_unique<ReadRequest>();
        request->request = id;
        request->group = g;
        request->job = pending->job;
        request->table = pending->groups[g].view->table;
        request->features = pending->groups[g].specs;
        request->plan = pending->plan;
        request->as_of = pending->response.as_of;
        request->offsets = pending->request.offsets;
      }
      request->keys.push_back(key);
    }
    for (auto& [shard, request] : by_shard) requests.emplace_back(shard, std::move(request));
  }
  pending->outstanding = requests.size();
  for (auto& [shard, request] : requests) {
    runtime_.post_local(kReadGateway, {shard, kStoreShardIndex}, std::move(request));
  }
}

void ReadGateway::on_answer(ReadAnswer answer) {
  const auto it = pending_.find(answer.request);
  if (it == pending_.end()) return;
  Pending& pending = it->second;
  const Group& group = pending.groups[answer.group];
  pending.horizon = std::max(pending.horizon, answer.horizon);
  for (ReadAnswer::Key& key : answer.keys) {
    if (key.status == ReadAnswer::Status::kNotReady) continue;  // as it is initially
    for (size_t i = 0; i < group.columns.size(); ++i) {
      FeatureColumn& column = pending.response.results[group.columns[i]];
      column.values[key.row] = std::move(key.values[i]);
      column.statuses[key.row] = to_status(key.status);
      column.freshness_ms[key.row] = key.freshness_ms;
      column.resolution_us[key.row] = 0;
    }
    if (pending.response.offsets) {
      RowOffsets offsets{key.key_partition.value, key.epoch.value, key.version, {}};
      for (const SourcePosition& p : key.offset_vector) {
        offsets.offset_vector.push_back({p.offset, p.max_event_time});
      }
      (*pending.response.offsets)[answer.group].rows[key.row] = std::move(offsets);
    }
  }
  if (--pending.outstanding == 0) finish(it->first);
}

void ReadGateway::finish(uint64_t id) {
  Pending& pending = pending_.at(id);
  const TimeUs as_of = pending.response.as_of;
  HttpResponse response;
  if (as_of >= pending.horizon) {
    render_features_response(pending.response, &response.body);
  } else if (pending.request.as_of) {
    response = http_error(
        400, "as_of: " + format_timestamp(as_of) + " is before the horizon " +
                 format_timestamp(pending.horizon) +
                 ", older rows are no longer kept; raise the job's allowed_lateness to ask "
                 "further back");
  } else if (++pending.rounds < kMaxRounds) {
    // Event time has run past the leading edge between asking for it and reading: ask again there.
    pending.response.as_of = pending.horizon;
    for (FeatureColumn& column : pending.response.results) {
      std::fill(column.statuses.begin(), column.statuses.end(), FeatureStatus::kNotReady);
      std::fill(column.values.begin(), column.values.end(), FeatureValue());
      std::fill(column.freshness_ms.begin(), column.freshness_ms.end(), std::nullopt);
      std::fill(column.resolution_us.begin(), column.resolution_us.end(), std::nullopt);
    }
    if (pending.response.offsets) {
      for (ViewOffsets& view : *pending.response.offsets) {
        std::fill(view.rows.begin(), view.rows.end(), std::nullopt);
      }
    }
    return ask_shards(id, &pending);
  } else {
    response =
        http_error(503, "not ready: event time moves faster than this store reads, try again");
  }
  pending.respond(std::move(response));
  pending_.erase(id);
}

void ReadGateway::on_keys_call(StoreHttpCall call) {
  const std::string& target = call.request.target;
  const size_t begin = std::string("/v1/jobs/").size();
  const std::string name = percent_decode(target.substr(begin, target.find("/keys") - begin));
  const JobInView* job = find_job(name);
  if (job == nullptr) {
    return call.respond(http_error(404, "no running job is called '" + name + "'"));
  }
  const auto query = parse_query(target);
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
