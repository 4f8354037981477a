// EtcdClient: etcd's API v3 by its gRPC gateway, JSON over HTTP
// (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway, messages:
// etcdserver/etcdserverpb/rpc.proto). Bytes are base64 there, and 64-bit numbers are strings.
//
// blocking: one task at a time. A call goes to the endpoint that answered last, then to the others.
// Failure: kRetryable if none gave an answer that counts: the call may nevertheless have taken
// effect, and may still do so. kFatal if etcd says that it will never take it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/net/http_server.h"

namespace tidemill {

struct EtcdEntry {
  std::string key;
  std::string value;
  int64_t create_revision = 0;
  int64_t lease = 0;  // 0: none
};

// The key was created at `create_revision` (0: it does not exist), or holds `value`.
struct EtcdCompare {
  std::string key;
  int64_t create_revision = 0;
  std::optional<std::string> value{};
};

struct EtcdOp {
  enum class Kind { kPut, kRemove, kRemovePrefix, kGet };
  Kind kind{};
  std::string key;      // of kRemovePrefix: what the keys begin with
  std::string value{};  // of kPut
  int64_t lease = 0;    // of kPut; 0: none
};

// `then` if all comparisons hold, otherwise `otherwise`; atomic.
struct EtcdTxn {
  std::vector<EtcdCompare> compares;
  std::vector<EtcdOp> then;
  std::vector<EtcdOp> otherwise;
};

struct EtcdTxnAnswer {
  bool succeeded = false;
  int64_t revision = 0;            // of the store after it
  std::vector<EtcdEntry> entries;  // what the kGets of the branch taken have found
};

struct EtcdPage {
  std::vector<EtcdEntry> entries;  // by key
  bool more = false;
};

struct EtcdLease {
  int64_t id = 0;
  int64_t ttl_s = 0;
};

class EtcdClient {
 public:
  // POSTs `body`; as http_call.
  using Transport = std::function<Result<HttpResponse>(const std::string& url,
                                                       const std::string& body, int timeout_ms)>;

  // `endpoints` as of parse_etcd_endpoints; `timeout_ms` for each of them.
  EtcdClient(std::vector<std::string> endpoints, int timeout_ms);
  EtcdClient(std::vector<std::string> endpoints, int timeout_ms, Transport transport);

  Result<EtcdTxnAnswer> txn(const EtcdTxn& txn);
  // Keys that begin with `prefix`, from `from` on (empty: the first); at most `limit`.
  Result<EtcdPage> range(const std::string& prefix, const std::string& from, int64_t limit);
  Result<EtcdLease> grant(int64_t ttl_s);
  // What is left of it: its whole time again, or 0 s if it is gone.
  Result<int64_t> keep_alive(int64_t lease);
  // Also of one that is gone.
  Status revoke(int64_t lease);

 private:
  // The answer's body, of status 200.
  Result<std::string> call(const std::string& path, const std::string& body);

  std::vector<std::string> endpoints_;
  int timeout_ms_;
  Transport transport_;
  size_t current_ = 0;
};

// "http://10.0.0.1:2379,http://10.0.0.2:2379"; "http://" may be left out. kUser.
Result<std::vector<std::string>> parse_etcd_endpoints(const std::string& text);

}  // namespace tidemill
