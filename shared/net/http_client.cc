// http_call of http_server.h: a blocking client for tools and tests.
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <limits>

#include "shared/net/http_server.h"

namespace tidemill {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr uint64_t kMaxAnswerBytes = 256u << 20;

struct Url {
  std::string host;
  std::string port;
  std::string target;
};

Result<Url> parse_url(const std::string& url) {
  const Error wrong = user_error("'" + url +
                                 "' is not an address: write http://host:port, such as "
                                 "http://127.0.0.1:7070");
  constexpr std::string_view kScheme = "http://";
  if (url.rfind(kScheme, 0) != 0) return wrong;
  const size_t slash = std::min(url.find('/', kScheme.size()), url.size());
  const std::string authority = url.substr(kScheme.size(), slash - kScheme.size());
  Url out;
  out.target = slash == url.size() ? "/" : url.substr(slash);
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  out.host = has_port ? authority.substr(0, colon) : authority;
  out.port = has_port ? authority.substr(colon + 1) : "80";
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  uint16_t port = 0;
  const auto [end, ec] = std::from_chars(out.port.data(), out.port.data() + out.port.size(), port);
  if (ec != std::errc() || end != out.port.data() + out.port.size() || out.host.empty()) {
    return wrong;
  }
  return out;
}

// One call: resolve, connect, send, receive. The callbacks run one after another in run_for().
struct Call {
  explicit Call(asio::io_context& io) : resolver(io), stream(io) {
    parser.body_limit(kMaxAnswerBytes);
  }

  void start(const Url& url) {
    error_code not_numeric;
    const auto address = asio::ip::make_address(url.host, not_numeric);
    if (!not_numeric) {
      const tcp::endpoint endpoint(address, static_cast<uint16_t>(std::stoul(url.port)));
      connect(tcp::resolver::results_type::create(endpoint, url.host, url.port));
      return;
    }
    resolver.async_resolve(url.host, url.port,
                           [this](error_code ec, tcp::resolver::results_type found) {
                             if (!failed("cannot find", ec)) connect(found);
                           });
  }
  void connect(const tcp::resolver::results_type& found) {
    stream.async_connect(found, [this](error_code ec, const tcp::endpoint&) {
      if (!failed("cannot reach", ec)) send();
    });
  }
  void send() {
    http::async_write(stream, request, [this](error_code ec, size_t) {
      // A server may answer before it has read all, and close: its answer tells more.
      if (ec != asio::error::broken_pipe && ec != asio::error::connection_reset &&
          failed("cannot send to", ec)) {
        return;
      }
      receive();
    });
  }
  void receive() {
    http::async_read(stream, buffer, parser, [this](error_code ec, size_t) {
      if (!failed("no answer from", ec)) done = true;
    });
  }
  bool failed(const char* what, error_code ec) {
    if (!ec) return false;
    failure = what;
    error = ec;
    return true;
  }

  tcp::resolver resolver;
  beast::tcp_stream stream;
  beast::flat_buffer buffer;
  http::request<http::string_body> request;
  http::response_parser<http::string_body> parser;
  bool done = false;
  const char* failure = nullptr;
  error_code error;
};

}  // namespace

Result<HttpResponse> http_call(const std::string& method, const std::string& url,
                               const std::string& body, int timeout_ms) {
  const Result<Url> parsed = parse_url(url);
  if (!parsed.ok()) return parsed.error();
  const std::string where = "http://" + parsed->host + ":" + parsed->port;
  try {
    asio::io_context io(1);
    Call call(io);
    call.request.method_string(method);
    call.request.target(parsed->target);
    call.request.version(11);
    call.request.set(http::field::host, parsed->host + ":" + parsed->port);
    call.request.set(http::field::connection, "close");
    if (!body.empty()) call.request.set(http::field::content_type, "application/json");
    call.request.body() = body;
    call.request.prepare_payload();
    call.parser.skip(method == "HEAD");
    call.start(*parsed);
    io.run_for(std::chrono::milliseconds(timeout_ms));
    if (call.failure != nullptr) {
      return retryable_error(std::string(call.failure) + " " + where + ": " + call.error.message());
    }
    if (!call.done) {
      return retryable_error("no answer from " + where + " within " + std::to_string(timeout_ms) +
                             " ms");
    }
    auto& message = call.parser.get();
    const auto type = message[http::field::content_type];
    HttpResponse response;
    response.status = static_cast<int>(message.result_int());
    response.content_type = std::string(type.data(), type.size());
    const auto location = message[http::field::location];
    response.location = std::string(location.data(), location.size());
    response.body = std::move(message.body());
    return response;
  } catch (const std::exception& e) {
    return retryable_error("calling " + where + " failed: " + e.what());
  }
}

}  // namespace tidemill
