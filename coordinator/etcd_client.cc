#include "coordinator/etcd_client.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "shared/dead_letter/base64.h"

namespace tidemill {
namespace {

using nlohmann::json;

// Of google.rpc.Code: what no repetition and no other endpoint changes.
constexpr int kInvalidArgument = 3;
constexpr int kPermissionDenied = 7;
constexpr int kUnimplemented = 12;
constexpr int kUnauthenticated = 16;
constexpr int kNotFound = 5;

Result<HttpResponse> post(const std::string& url, const std::string& body, int timeout_ms) {
  return http_call("POST", url, body, timeout_ms);
}

// The first key behind all that begin with `prefix`.
std::string end_of(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  if (prefix.empty()) return std::string(1, '\0');  // to the end of all keys
  prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

// A 64-bit number, which proto3's JSON writes as a string and leaves out if it is 0.
int64_t number_in(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return 0;
  if (found->is_number_integer()) return found->get<int64_t>();
  if (!found->is_string()) return 0;
  const auto& text = found->get_ref<const std::string&>();
  int64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

bool flag_in(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::optional<std::string> bytes_in(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::string();
  if (!found->is_string()) return std::nullopt;
  return decode_base64(found->get_ref<const std::string&>());
}

Error no_answer_of_etcd() {
  return retryable_error("etcd's answer is not what its API says: is it etcd's address?");
}

Result<json> parse_answer(const Result<std::string>& body) {
  if (!body) return body.error();
  json out = json::parse(*body, nullptr, false);
  if (!out.is_object()) return no_answer_of_etcd();
  return out;
}

Status read_entries(const json& range, std::vector<EtcdEntry>* out) {
  const auto kvs = range.find("kvs");
  if (kvs == range.end()) return {};
  if (!kvs->is_array()) return no_answer_of_etcd();
  for (const json& kv : *kvs) {
    if (!kv.is_object()) return no_answer_of_etcd();
    auto key = bytes_in(kv, "key");
    auto value = bytes_in(kv, "value");
    if (!key || !value) return no_answer_of_etcd();
    out->push_back({std::move(*key), std::move(*value), number_in(kv, "create_revision"),
                    number_in(kv, "lease")});
  }
  return {};
}

json compare_json(const EtcdCompare& compare) {
  json out{{"key", encode_base64(compare.key)}, {"result", "EQUAL"}};
  if (compare.value) {
    out["target"] = "VALUE";
    out["value"] = encode_base64(*compare.value);
  } else {
    out["target"] = "CREATE";
    out["create_revision"] = std::to_string(compare.create_revision);
  }
  return out;
}

json op_json(const EtcdOp& op) {
  json key{{"key", encode_base64(op.key)}};
  switch (op.kind) {
    case EtcdOp::Kind::kPut:
      key["value"] = encode_base64(op.value);
      if (op.lease != 0) key["lease"] = std::to_string(op.lease);
      return {{"request_put", std::move(key)}};
    case EtcdOp::Kind::kRemovePrefix:
      key["range_end"] = encode_base64(end_of(op.key));
      return {{"request_delete_range", std::move(key)}};
    case EtcdOp::Kind::kRemove:
      return {{"request_delete_range", std::move(key)}};
    case EtcdOp::Kind::kGet:
      return {{"request_range", std::move(key)}};
  }
  return {};
}

template <typename Part, typename Make>
json list_json(const std::vector<Part>& parts, Make make) {
  json out = json::array();
  for (const Part& part : parts) out.push_back(make(part));
  return out;
}

// What an answer of another status than 200 means.
Error refusal(const HttpResponse& response) {
  const json body = json::parse(response.body, nullptr, false);
  std::string message = "HTTP status " + std::to_string(response.status);
  int64_t code = 0;
  if (body.is_object()) {
    code = number_in(body, "code");
    const auto text = body.find("message");
    if (text != body.end() && text->is_string()) message = text->get<std::string>();
  }
  const bool for_good = code == kInvalidArgument || code == kPermissionDenied ||
                        code == kUnimplemented || code == kUnauthenticated;
  return {for_good ? ErrorCode::kFatal : ErrorCode::kRetryable, "etcd refuses: " + message};
}

bool is_not_found(const HttpResponse& response) {
  const json body = json::parse(response.body, nullptr, false);
  return body.is_object() && number_in(body, "code") == kNotFound;
}

}  // namespace

EtcdClient::EtcdClient(std::vector<std::string> endpoints, int timeout_ms)
    : EtcdClient(std::move(endpoints), timeout_ms, post) {}

EtcdClient::EtcdClient(std::vector<std::string> endpoints, int timeout_ms, Transport transport)
    : endpoints_(std::move(endpoints)), timeout_ms_(timeout_ms), transport_(std::move(transport)) {
  ASSERT(!endpoints_.empty());
}

Result<std::string> EtcdClient::call(const std::string& path, const std::string& body) {
  Error last = retryable_error("etcd was not asked");
  for (size_t tried = 0; tried < endpoints_.size(); ++tried) {
    const std::string& endpoint = endpoints_[current_];
    auto response = transport_(endpoint + path, body, timeout_ms_);
    if (response && response->status == 200) return std::move(response->body);
    if (response && is_not_found(*response)) return std::string("{}");
    last = (response ? refusal(*response) : response.error()).within("etcd at " + endpoint);
    if (last.code() != ErrorCode::kRetryable) return last;
    current_ = (current_ + 1) % endpoints_.size();
  }
  return last;
}

Result<EtcdTxnAnswer> EtcdClient::txn(const EtcdTxn& txn) {
  const json request{{"compare", list_json(txn.compares, compare_json)},
                     {"success", list_json(txn.then, op_json)},
                     {"failure", list_json(txn.otherwise, op_json)}};
  const auto answer = parse_answer(call("/v3/kv/txn", request.dump()));
  if (!answer) return answer.error();
  EtcdTxnAnswer out;
  const auto header = answer->find("header");
  // A lease that is gone: nothing was done.
  if (header == answer->end()) return retryable_error("etcd refuses: the lease is gone");
  if (!header->is_object()) return no_answer_of_etcd();
  out.revision = number_in(*header, "revision");
  out.succeeded = flag_in(*answer, "succeeded");
  const auto responses = answer->find("responses");
  if (responses == answer->end()) return out;
  for (const json& response : *responses) {
    const auto range = response.find("response_range");
    if (range == response.end()) continue;
    if (auto status = read_entries(*range, &out.entries); !status) return status.error();
  }
  return out;
}

Result<EtcdPage> EtcdClient::range(const std::string& prefix, const std::string& from,
                                   int64_t limit) {
  const json request{{"key", encode_base64(from.empty() ? prefix : from)},
                     {"range_end", encode_base64(end_of(prefix))},
                     {"limit", std::to_string(limit)}};
  const auto answer = parse_answer(call("/v3/kv/range", request.dump()));
  if (!answer) return answer.error();
  EtcdPage out;
  out.more = flag_in(*answer, "more");
  if (auto status = read_entries(*answer, &out.entries); !status) return status.error();
  return out;
}

Result<EtcdLease> EtcdClient::grant(int64_t ttl_s) {
  const auto answer =
      parse_answer(call("/v3/lease/grant", json{{"TTL", std::to_string(ttl_s)}}.dump()));
  if (!answer) return answer.error();
  const EtcdLease out{number_in(*answer, "ID"), number_in(*answer, "TTL")};
  if (out.id == 0 || out.ttl_s <= 0) return no_answer_of_etcd();
  return out;
}

Result<int64_t> EtcdClient::keep_alive(int64_t lease) {
  const auto answer =
      parse_answer(call("/v3/lease/keepalive", json{{"ID", std::to_string(lease)}}.dump()));
  if (!answer) return answer.error();
  const auto result = answer->find("result");
  if (result == answer->end() || !result->is_object()) return no_answer_of_etcd();
  return number_in(*result, "TTL");
}

Status EtcdClient::revoke(int64_t lease) {
  const auto answer = call("/v3/lease/revoke", json{{"ID", std::to_string(lease)}}.dump());
  return answer ? Status{} : Status{answer.error()};
}

Result<std::vector<std::string>> parse_etcd_endpoints(const std::string& text) {
  std::vector<std::string> out;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t comma = std::min(text.find(',', at), text.size());
    std::string endpoint = text.substr(at, comma - at);
    at = comma + 1;
    if (endpoint.find("://") == std::string::npos) endpoint.insert(0, "http://");
    while (!endpoint.empty() && endpoint.back() == '/') endpoint.pop_back();
    const bool plain = endpoint.starts_with("http://");
    const auto colon = endpoint.rfind(':');
    if (!plain || colon == 4 || colon + 1 == endpoint.size() ||
        endpoint.find_first_of(" /", 7) != std::string::npos) {
      return user_error("'" + text +
                        "' is no list of etcd's client addresses: write "
                        "http://HOST:PORT,http://HOST:PORT; https is not possible");
    }
    out.push_back(std::move(endpoint));
  }
  return out;
}

}  // namespace tidemill
