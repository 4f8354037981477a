#include "shared/net/http_server.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <chrono>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "shared/net/json_text.h"

namespace tidemill {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::beast::error_code;
using Clock = std::chrono::steady_clock;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;

constexpr size_t kReadBytes = 4u << 10;       // while a header is awaited
constexpr size_t kBodyReadBytes = 64u << 10;  // while a body is
constexpr size_t kKeptBufferBytes = 16u << 10;
constexpr size_t kRefusals = 64;  // connections above the limit that are told so at a time

// Takes a request apart straight into an HttpRequest: nothing else is kept of its header.
class RequestParser final : public http::basic_parser<true> {
 public:
  explicit RequestParser(const HttpServerConfig& config) {
    eager(true);
    header_limit(static_cast<uint32_t>(config.max_header_bytes));
    body_limit(config.max_body_bytes);
  }

  HttpRequest request;
  int version = 11;
  bool expects_continue = false;

 private:
  using View = boost::beast::string_view;

  void on_request_impl(http::verb, View method, View target, int http_version,
                       error_code&) override {
    request.method.assign(method.data(), method.size());
    request.target.assign(target.data(), target.size());
    version = http_version;
  }
  void on_response_impl(int, View, int, error_code&) override {}
  void on_field_impl(http::field name, View, View value, error_code&) override {
    if (name == http::field::content_type) {
      request.content_type.assign(value.data(), value.size());
    } else if (name == http::field::expect) {
      expects_continue = boost::beast::iequals(value, "100-continue");
    }
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>& length, error_code&) override {
    // The stated length is only a claim: a lying client costs no more than one read.
    if (length) request.body.reserve(std::min<uint64_t>(*length, kBodyReadBytes));
  }
  size_t on_body_impl(View body, error_code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(uint64_t, View, error_code&) override {}
  size_t on_chunk_body_impl(uint64_t, View body, error_code&) override {
    request.body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
};

// The way from a responder on any thread to the server's thread, for as long as there is one.
struct Gate {
  std::mutex mutex;
  asio::io_context* io = nullptr;  // null: the server is gone
};

class Connection;

// What connections need of their server, and those that are open. Outlives them: see the order of
// HttpServerImpl's members.
struct Shared {
  HttpServerConfig config;
  HttpServer::Handler handler;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  std::list<std::shared_ptr<Connection>> connections;
};

// One client. Runs on the server's thread only; kept alive by the server until it is closed, and by
// its pending operation. Requests are answered one after the other: the next is not looked at
// before the last answer is written.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Socket socket, Shared* shared)
      : shared_(*shared),
        socket_(std::move(socket)),
        buffer_(shared->config.max_header_bytes + kBodyReadBytes) {}

  void placed_at(std::list<std::shared_ptr<Connection>>::iterator place) { place_ = place; }
  void serve() { next_request(); }

  void refuse() {
    close_after_ = true;
    phase_ = Phase::kAnswering;
    write(http_error(503, "too many connections: at most " +
                              std::to_string(shared_.config.max_connections) +
                              " are served at a time; try again, or keep connections open"));
  }

  void on_tick(Clock::time_point now) {
    if (now < deadline_) return;
    if (phase_ == Phase::kAnswering) {
      write(http_error(
          503, "no answer within " + std::to_string(shared_.config.answer_timeout_ms) + " ms"));
    } else {
      close();
    }
  }

  void answer(uint64_t sequence, HttpResponse response) {
    if (phase_ == Phase::kAnswering && sequence == sequence_) write(std::move(response));
  }

 private:
  enum class Phase { kIdle, kReading, kAnswering, kWriting, kDraining, kClosed };

  void enter(Phase phase, int timeout_ms) {
    phase_ = phase;
    deadline_ = Clock::now() + std::chrono::milliseconds(timeout_ms);
  }

  void next_request() {
    parser_.emplace(shared_.config);
    if (buffer_.size() > 0) {
      enter(Phase::kReading, shared_.config.read_timeout_ms);
      parse();
      return;
    }
    if (buffer_.capacity() > kKeptBufferBytes) buffer_.shrink_to_fit();
    enter(Phase::kIdle, shared_.config.idle_timeout_ms);
    read(kReadBytes);
  }

  void read(size_t bytes) {
    bytes = std::min(bytes, buffer_.max_size() - buffer_.size());
    socket_.async_read_some(
        buffer_.prepare(bytes),
        [self = shared_from_this()](error_code ec, size_t n) { self->on_read(ec, n); });
  }

  void on_read(error_code ec, size_t bytes) {
    if (phase_ == Phase::kClosed) return;
    if (ec) {
      close();
      return;
    }
    buffer_.commit(bytes);
    if (phase_ == Phase::kDraining) {
      buffer_.consume(buffer_.size());
      read(kBodyReadBytes);
      return;
    }
    if (phase_ == Phase::kIdle) enter(Phase::kReading, shared_.config.read_timeout_ms);
    parse();
  }

  void parse() {
    error_code ec;
    buffer_.consume(parser_->put(buffer_.data(), ec));
    if (ec && ec != http::error::need_more) {
      reject(ec);
    } else if (parser_->is_done()) {
      handle();
    } else if (buffer_.size() == buffer_.max_size()) {
      reject(http::error::header_limit);  // a chunk's header without end
    } else if (parser_->is_header_done()) {
      read_body();
    } else {
      read(kReadBytes);
    }
  }

  void read_body() {
    if (!parser_->expects_continue) {
      read(kBodyReadBytes);
      return;
    }
    parser_->expects_continue = false;
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(socket_, asio::const_buffer(kContinue.data(), kContinue.size()),
                      [self = shared_from_this()](error_code ec, size_t) {
                        if (self->phase_ == Phase::kClosed) return;
                        if (ec) {
                          self->close();
                        } else {
                          self->read(kBodyReadBytes);
                        }
                      });
  }

  void reject(error_code ec) {
    close_after_ = true;
    phase_ = Phase::kAnswering;
    const HttpServerConfig& config = shared_.config;
    if (ec == http::error::header_limit) {
      write(http_error(431, "the request's header is larger than " +
                                std::to_string(config.max_header_bytes) + " bytes"));
    } else if (ec == http::error::body_limit) {
      write(http_error(413, "the request's body is larger than " +
                                std::to_string(config.max_body_bytes) +
                                " bytes: split it into several requests"));
    } else {
      write(http_error(400, "not a well-formed HTTP/1.1 request: " + ec.message()));
    }
  }

  void handle() {
    close_after_ = !parser_->keep_alive();
    head_only_ = parser_->request.method == "HEAD";
    const uint64_t sequence = ++sequence_;
    enter(Phase::kAnswering, shared_.config.answer_timeout_ms);
    HttpResponder responder = [gate = shared_.gate, target = weak_from_this(),
                               sequence](HttpResponse response) {
      const std::lock_guard lock(gate->mutex);
      if (gate->io == nullptr) return;
      // The shared pointer moves on into the handler, so that the connection cannot end here.
      if (auto connection = target.lock()) {
        asio::dispatch(*gate->io, [connection = std::move(connection), sequence,
                                   response = std::move(response)]() mutable {
          connection->answer(sequence, std::move(response));
        });
      }
    };
    try {
      shared_.handler(std::move(parser_->request), std::move(responder));
    } catch (const std::exception& e) {
      answer(sequence, http_error(500, std::string("internal error: ") + e.what()));
    }
  }

  void write(HttpResponse response) {
    body_ = std::move(response.body);
    render_head(response);
    const size_t body_bytes = head_only_ ? 0 : body_.size();
    enter(Phase::kWriting, shared_.config.write_timeout_ms);
    const std::array<asio::const_buffer, 2> bytes{asio::buffer(head_),
                                                  asio::buffer(body_.data(), body_bytes)};
    // Most answers fit the socket's buffer: then there is nothing to wait for.
    error_code ec;
    const size_t sent = socket_.write_some(bytes, ec);
    if (!ec && sent == head_.size() + body_bytes) return on_sent();
    asio::async_write(socket_, rest_of(bytes, sent),
                      [self = shared_from_this()](error_code e, size_t) { self->on_written(e); });
  }

  static std::array<asio::const_buffer, 2> rest_of(std::array<asio::const_buffer, 2> bytes,
                                                   size_t sent) {
    const size_t of_head = std::min(sent, bytes[0].size());
    bytes[0] += of_head;
    bytes[1] += sent - of_head;
    return bytes;
  }

  // A request that has come already is looked at later: here its answer would come before this
  // function ends, and so would that of the next.
  void on_sent() {
    if (buffer_.size() > 0 || close_after_) {
      asio::post(socket_.get_executor(),
                 [self = shared_from_this()] { self->on_written(error_code()); });
    } else {
      on_written(error_code());
    }
  }

  // The body has been moved on to body_.
  void render_head(const HttpResponse& response) {
    const auto status = http::int_to_status(static_cast<unsigned>(response.status));
    const auto reason = http::obsolete_reason(status);
    head_.assign("HTTP/1.1 ");
    append_json_int(response.status, &head_);
    head_.push_back(' ');
    head_.append(reason.data(), reason.size());
    head_.append("\r\nContent-Type: ").append(response.content_type);
    if (!response.allow.empty()) head_.append("\r\nAllow: ").append(response.allow);
    if (!response.location.empty()) head_.append("\r\nLocation: ").append(response.location);
    head_.append("\r\nContent-Length: ");
    append_json_int(static_cast<int64_t>(body_.size()), &head_);
    if (close_after_) {
      head_.append("\r\nConnection: close");
    } else if (parser_ && parser_->version == 10) {
      head_.append("\r\nConnection: keep-alive");
    }
    head_.append("\r\n\r\n");
  }

  void on_written(error_code ec) {
    if (phase_ == Phase::kClosed) return;
    if (ec) {
      close();
    } else if (close_after_) {
      drain();
    } else {
      next_request();
    }
  }

  // Closing with unread bytes would reset the connection and could take the answer along. So the
  // client's own close is awaited, within the deadline.
  void drain() {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    buffer_.consume(buffer_.size());
    enter(Phase::kDraining, std::min(shared_.config.write_timeout_ms, 2'000));
    read(kBodyReadBytes);
  }

  // Gives up the server's hold: the caller has one of its own.
  void close() {
    phase_ = Phase::kClosed;
    error_code ignored;
    socket_.close(ignored);
    shared_.connections.erase(place_);
  }

  Shared& shared_;
  std::list<std::shared_ptr<Connection>>::iterator place_;
  Socket socket_;
  boost::beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
  std::string head_;
  std::string body_;
  Phase phase_ = Phase::kIdle;
  Clock::time_point deadline_ = Clock::time_point::max();
  uint64_t sequence_ = 0;
  bool close_after_ = false;
  bool head_only_ = false;
};

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(const HttpServerConfig& config, Handler handler, asio::io_context* loop)
      : own_(loop == nullptr ? std::make_unique<asio::io_context>(1) : nullptr),
        io_(loop == nullptr ? *own_ : *loop) {
    shared_.config = config;
    shared_.handler = std::move(handler);
    shared_.gate->io = &io_;
    const int least_ms = std::min({config.read_timeout_ms, config.idle_timeout_ms,
                                   config.answer_timeout_ms, config.write_timeout_ms});
    tick_ = std::chrono::milliseconds(std::clamp(least_ms / 4, 2, 250));
  }

  ~HttpServerImpl() override {
    {
      const std::lock_guard lock(shared_.gate->mutex);
      shared_.gate->io = nullptr;
    }
    if (own_ != nullptr) own_->stop();
    if (thread_.joinable()) thread_.join();
    shared_.connections.clear();
  }

  Status listen() {
    const HttpServerConfig& config = shared_.config;
    const std::string where = config.address + ":" + std::to_string(config.port);
    error_code ec;
    const auto address =
        asio::ip::make_address(config.address == "localhost" ? "127.0.0.1" : config.address, ec);
    if (ec) {
      return user_error("cannot listen on " + where +
                        ": the address must be a numeric one, such as 127.0.0.1 or 0.0.0.0");
    }
    const tcp::endpoint endpoint(address, config.port);
    acceptor_.open(endpoint.protocol(), ec);
    if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec) acceptor_.bind(endpoint, ec);
    if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
    if (!ec) port_ = acceptor_.local_endpoint(ec).port();
    if (ec) {
      return user_error("cannot listen on " + where + ": " + ec.message() +
                        "; choose another port, or 0 for any free one");
    }
    accept();
    if (own_ != nullptr) thread_ = std::thread([this] { run(); });
    return {};
  }

  uint16_t port() const override { return port_; }

 private:
  void run() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are the main thread's
    io_.run();
  }

  void accept() {
    acceptor_.async_accept([this](error_code ec, Socket socket) {
      if (ec == asio::error::operation_aborted) return;
      if (ec) {
        retry_accept();
        return;
      }
      admit(std::move(socket));
      accept();
    });
  }

  // Out of descriptors or memory: what is served goes on, and some of it ends.
  void retry_accept() {
    retry_.expires_after(std::chrono::milliseconds(50));
    retry_.async_wait([this](error_code ec) {
      if (!ec) accept();
    });
  }

  void admit(Socket socket) {
    const size_t held = shared_.connections.size();
    if (held >= shared_.config.max_connections + kRefusals) return;
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.non_blocking(true, ignored);
    const auto connection = std::make_shared<Connection>(std::move(socket), &shared_);
    connection->placed_at(shared_.connections.insert(shared_.connections.end(), connection));
    if (held >= shared_.config.max_connections) {
      connection->refuse();
    } else {
      connection->serve();
    }
    if (!ticking_) arm_tick();
  }

  // One timer for the deadlines of all connections, and none while there are no connections.
  void arm_tick() {
    ticking_ = true;
    ticker_.expires_after(tick_);
    ticker_.async_wait([this](error_code ec) {
      if (ec) return;
      const auto now = Clock::now();
      for (auto it = shared_.connections.begin(); it != shared_.connections.end();) {
        const auto connection = *it++;  // it may close
        connection->on_tick(now);
      }
      if (shared_.connections.empty()) {
        ticking_ = false;
      } else {
        arm_tick();
      }
    });
  }

  Shared shared_;                          // before io_, whose destructor ends the last operations
  std::unique_ptr<asio::io_context> own_;  // null: on somebody's loop
  asio::io_context& io_;
  Acceptor acceptor_{io_};
  Timer ticker_{io_};
  Timer retry_{io_};
  std::chrono::milliseconds tick_{};
  bool ticking_ = false;
  uint16_t port_ = 0;
  std::thread thread_;
};

}  // namespace

HttpResponse http_error(int status, const std::string& message) {
  HttpResponse response;
  response.status = status;
  response.body = "{\"error\":{\"message\":";
  append_json_string(message, &response.body);
  response.body += "}}";
  return response;
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerConfig& config,
                                                      Handler handler, asio::io_context* loop) {
  try {
    auto server = std::make_unique<HttpServerImpl>(config, std::move(handler), loop);
    if (const Status status = server->listen(); !status.ok()) return status.error();
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& e) {
    return fatal_error(std::string("cannot start the HTTP server: ") + e.what());
  }
}

}  // namespace tidemill
