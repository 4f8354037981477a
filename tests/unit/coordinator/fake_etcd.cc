#include "tests/unit/coordinator/fake_etcd.h"

#include <algorithm>

#include "shared/dead_letter/base64.h"

namespace tidemill::testing {
namespace {

using nlohmann::json;

constexpr size_t kRequestBytesMax = 3 * (1u << 19);  // 1.5 MiB, of keys and values
constexpr size_t kOpsMax = 128;

std::string bytes_of(const json& object, const char* name) {
  return object.contains(name) ? *decode_base64(object.at(name).get<std::string>()) : "";
}

int64_t number_of(const json& object, const char* name) {
  return object.contains(name) ? std::stoll(object.at(name).get<std::string>()) : 0;
}

// Keys and values of all requests in it, decoded.
size_t payload_of(const json& value) {
  size_t bytes = 0;
  if (value.is_string()) return value.get_ref<const std::string&>().size() * 3 / 4;
  for (const auto& part : value) bytes += payload_of(part);
  return bytes;
}

}  // namespace

EtcdClient::Transport FakeEtcd::transport() {
  return [this](const std::string& url, const std::string& body, int) -> Result<HttpResponse> {
    const std::string path = url.substr(url.find("/v3/"));
    const Fault fault = faults ? faults(path) : Fault::kNone;
    const Error nobody = retryable_error("no answer from " + url);
    switch (fault) {
      case Fault::kRequestLost:
        return nobody;
      case Fault::kDelayed:
        delayed_.emplace_back(path, body);
        return nobody;
      case Fault::kRefused:
        return refuse(503, 14, "etcdserver: no leader");
      case Fault::kAnswerLost:
        take(path, body);
        return nobody;
      case Fault::kNone:
        break;
    }
    return take(path, body);
  };
}

void FakeEtcd::deliver(size_t i) {
  const auto [path, body] = delayed_.at(i);
  delayed_.erase(delayed_.begin() + static_cast<long>(i));
  take(path, body);
}

std::map<std::string, std::string> FakeEtcd::contents() const {
  std::map<std::string, std::string> out;
  for (const auto& [key, entry] : entries_) out[key] = entry.value;
  return out;
}

void FakeEtcd::put(const std::string& key, const std::string& value) {
  ++revision_;
  entries_[key] = {value, revision_, 0};
}

void FakeEtcd::remove(const std::string& key) {
  ++revision_;
  entries_.erase(key);
}

HttpResponse FakeEtcd::answer(json out) const {
  out["header"] = {{"revision", std::to_string(revision_)}};
  HttpResponse response;
  response.body = out.dump();
  return response;
}

HttpResponse FakeEtcd::refuse(int status, int code, const std::string& message) const {
  HttpResponse response;
  response.status = status;
  response.body = json{{"error", message}, {"message", message}, {"code", code}}.dump();
  return response;
}

HttpResponse FakeEtcd::take(const std::string& path, const std::string& body) {
  expire();
  const json request = json::parse(body);
  longest_bytes_ = std::max(longest_bytes_, payload_of(request));
  if (payload_of(request) > kRequestBytesMax) {
    return refuse(400, 3, "etcdserver: request is too large");
  }
  if (path == "/v3/kv/txn") return txn(request);
  if (path == "/v3/kv/range") return range(request);
  if (path == "/v3/lease/grant") {
    const int64_t id = next_lease_++;
    const int64_t ttl = number_of(request, "TTL");
    leases_[id] = {ttl, now_us_() + ttl * 1'000'000};
    return answer({{"ID", std::to_string(id)}, {"TTL", std::to_string(ttl)}});
  }
  const int64_t id = number_of(request, "ID");
  if (path == "/v3/lease/revoke") {
    if (!leases_.contains(id)) return refuse(404, 5, "etcdserver: requested lease not found");
    drop(id);
    return answer(json::object());
  }
  json result{{"ID", std::to_string(id)}};
  if (leases_.contains(id)) {
    Lease& lease = leases_.at(id);
    lease.ends_at_us = now_us_() + lease.ttl_s * 1'000'000;
    result["TTL"] = std::to_string(lease.ttl_s);
  }
  return answer({{"result", result}});
}

HttpResponse FakeEtcd::txn(const json& request) {
  for (const char* branch : {"success", "failure"}) {
    most_ops_ = std::max(most_ops_, request.at(branch).size());
    if (request.at(branch).size() > kOpsMax) {
      return refuse(400, 3, "etcdserver: too many operations in txn request");
    }
  }
  const auto& compares = request.at("compare");
  const bool all =
      std::all_of(compares.begin(), compares.end(), [&](const json& c) { return holds(c); });
  const auto& ops = request.at(all ? "success" : "failure");
  for (const json& op : ops) {
    const int64_t lease = op.contains("request_put") ? number_of(op.at("request_put"), "lease") : 0;
    if (lease != 0 && !leases_.contains(lease)) {
      return refuse(404, 5, "etcdserver: requested lease not found");
    }
  }
  ++revision_;
  bool changed = false;
  json out{{"responses", json::array()}};
  for (const json& op : ops) out["responses"].push_back(execute(op, &changed));
  if (!changed) --revision_;
  if (all) out["succeeded"] = true;
  return answer(std::move(out));
}

bool FakeEtcd::holds(const json& compare) const {
  const auto found = entries_.find(bytes_of(compare, "key"));
  if (compare.at("target") == "VALUE") {
    return found != entries_.end() && found->second.value == bytes_of(compare, "value");
  }
  const int64_t created = found == entries_.end() ? 0 : found->second.create_revision;
  return created == number_of(compare, "create_revision");
}

json FakeEtcd::execute(const json& op, bool* changed) {
  if (op.contains("request_range")) {
    const std::string key = bytes_of(op.at("request_range"), "key");
    json range = json::object();
    const auto found = entries_.find(key);
    if (found != entries_.end()) range["kvs"] = json::array({entry_json(key, found->second)});
    return {{"response_range", range}};
  }
  *changed = true;
  if (op.contains("request_put")) {
    const json& put = op.at("request_put");
    Entry& entry = entries_[bytes_of(put, "key")];
    if (entry.create_revision == 0) entry.create_revision = revision_;
    entry.value = bytes_of(put, "value");
    entry.lease = number_of(put, "lease");
    return {{"response_put", json::object()}};
  }
  const json& gone = op.at("request_delete_range");
  const std::string from = bytes_of(gone, "key");
  const std::string end = gone.contains("range_end") ? bytes_of(gone, "range_end") : from + '\0';
  entries_.erase(entries_.lower_bound(from), entries_.lower_bound(end));
  return {{"response_delete_range", json::object()}};
}

HttpResponse FakeEtcd::range(const json& request) {
  auto at = entries_.lower_bound(bytes_of(request, "key"));
  const auto end = entries_.lower_bound(bytes_of(request, "range_end"));
  const auto limit = static_cast<size_t>(number_of(request, "limit"));
  json out = json::object();
  for (; at != end && (!out.contains("kvs") || out["kvs"].size() < limit); ++at) {
    out["kvs"].push_back(entry_json(at->first, at->second));
  }
  if (at != end) out["more"] = true;
  return answer(std::move(out));
}

json FakeEtcd::entry_json(const std::string& key, const Entry& entry) const {
  json out{{"key", encode_base64(key)},
           {"value", encode_base64(entry.value)},
           {"create_revision", std::to_string(entry.create_revision)}};
  if (entry.lease != 0) out["lease"] = std::to_string(entry.lease);
  return out;
}

void FakeEtcd::expire() {
  std::vector<int64_t> over;
  for (const auto& [id, lease] : leases_) {
    if (now_us_() >= lease.ends_at_us) over.push_back(id);
  }
  for (const int64_t id : over) drop(id);
}

void FakeEtcd::drop(int64_t lease) {
  leases_.erase(lease);
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.lease == lease; });
  ++revision_;
}

}  // namespace tidemill::testing
