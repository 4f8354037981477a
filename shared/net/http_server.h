// HttpServer: HTTP/1.1 on Boost.Beast at a process's edge. Requests go to a handler, which may
// answer later and from any thread. Keep-alive, limits and deadlines on every connection.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "shared/base/result.h"

namespace boost::asio {
class io_context;
}

namespace tidemill {

struct HttpRequest {
  std::string method;  // "GET", "POST", "DELETE"
  std::string target;  // path and query as sent
  std::string content_type;
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow{};     // of a 405: the methods that the path takes
  std::string location{};  // of a 307: where to ask instead
};

// {"error":{"message":...}} with a JSON-escaped message.
HttpResponse http_error(int status, const std::string& message);

// Answers one request, once; later calls are ignored. thread-safe
using HttpResponder = std::function<void(HttpResponse)>;

struct HttpServerConfig {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one
  size_t max_connections = 1024;
  size_t max_body_bytes = 8u << 20;
  size_t max_header_bytes = 8u << 10;
  int read_timeout_ms = 10'000;    // for one whole request, from its first byte
  int idle_timeout_ms = 60'000;    // between requests
  int answer_timeout_ms = 10'000;  // for the handler: then 503
  int write_timeout_ms = 10'000;
};

class HttpServer {
 public:
  using Handler = std::function<void(HttpRequest, HttpResponder)>;
  // Listens and serves on a thread of its own until destroyed; or on `loop`, whose thread then runs
  // the handler too. A loop outlives the server, and has stopped when the server is destroyed.
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerConfig& config, Handler handler,
                                                   boost::asio::io_context* loop = nullptr);
  virtual ~HttpServer() = default;
  virtual uint16_t port() const = 0;
};

// A blocking client for tools: one request, one answer. `url` is "http://host:port/path".
Result<HttpResponse> http_call(const std::string& method, const std::string& url,
                               const std::string& body, int timeout_ms);

}  // namespace tidemill
