#include "shared/net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <rapidcheck/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

namespace tidemill {
namespace {

constexpr int kPatienceMs = 20'000;  // how long a test waits before it is a failure

// A client that sends any bytes it likes.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{kPatienceMs / 1000, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the server may have closed: what it answered tells
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  // Asks the kernel until it says that the other side has gone.
  bool send_until_refused() {
    for (;;) {
      const ssize_t n = ::send(fd_, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return true;
      pollfd wait{fd_, POLLERR | POLLHUP, 0};
      if (poll(&wait, 1, 1) < 0) return false;
    }
  }
  void end_sending() { shutdown(fd_, SHUT_WR); }

  // The next answer's head and body; empty if the server closed before it was whole.
  std::string answer() {
    size_t head = 0;
    while ((head = pending_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return {};
    }
    const size_t at = pending_.find("Content-Length: ");
    const size_t body = at < head ? std::stoul(pending_.substr(at + 16)) : 0;
    const size_t whole = head + 4 + body;
    while (pending_.size() < whole) {
      if (!receive()) return {};
    }
    std::string out = pending_.substr(0, whole);
    pending_.erase(0, whole);
    return out;
  }
  // Reads on until the server closes; false if it does not.
  bool closed_by_server() {
    while (receive()) {
    }
    return ended_;
  }
  const std::string& pending() const { return pending_; }

 private:
  bool receive() {
    char bytes[4096];
    const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
    ended_ = n == 0 || (n < 0 && errno == ECONNRESET);
    if (n <= 0) return false;
    pending_.append(bytes, static_cast<size_t>(n));
    return true;
  }

  int fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string pending_;
};

std::unique_ptr<HttpServer> start(const HttpServerConfig& config, HttpServer::Handler handler) {
  auto server = HttpServer::start(config, std::move(handler));
  EXPECT_TRUE(server.ok()) << (server.ok() ? "" : server.error().message());
  return std::move(server).value();
}

HttpResponse echo_response(const HttpRequest& request) {
  HttpResponse response;
  response.body =
      request.method + " " + request.target + " " + request.content_type + " " + request.body;
  return response;
}

void echo(const HttpRequest& request, const HttpResponder& respond) {
  respond(echo_response(request));
}

std::string url(const HttpServer& server, const std::string& target) {
  return "http://127.0.0.1:" + std::to_string(server.port()) + target;
}

int status_of(const std::string& answer) {
  return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
}

std::string body_of(const std::string& answer) {
  const size_t head = answer.find("\r\n\r\n");
  return head == std::string::npos ? "" : answer.substr(head + 4);
}

bool is_json_error(const std::string& body) {
  const auto parsed = nlohmann::json::parse(body, nullptr, false);
  return parsed.is_object() && parsed.contains("error") && parsed["error"].contains("message") &&
         !parsed["error"]["message"].get<std::string>().empty();
}

// Answers from a thread of its own, in reverse of the order in which requests came together.
class BackgroundAnswers {
 public:
  BackgroundAnswers() : thread_([this] { run(); }) {}
  ~BackgroundAnswers() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void add(HttpRequest request, HttpResponder respond) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back(std::move(request), std::move(respond));
    }
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
      if (stop_) return;
      auto batch = std::move(waiting_);
      waiting_.clear();
      lock.unlock();
      for (auto it = batch.rbegin(); it != batch.rend(); ++it) {
        it->second(echo_response(it->first));
      }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<HttpRequest, HttpResponder>> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

TEST(HttpServer, AnswersAClient) {
  const auto server = start({}, echo);
  const auto got = http_call("POST", url(*server, "/v1/x?a=b%20c"), "{\"a\":1}", kPatienceMs);
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(got->content_type, "application/json");
  EXPECT_EQ(got->body, "POST /v1/x?a=b%20c application/json {\"a\":1}");
}

// A loop that others use too, as a store's shard does.
class Loop {
 public:
  Loop() : thread_([this] { io_.run(); }) {}
  ~Loop() { stop(); }
  void stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }
  boost::asio::io_context& io() { return io_; }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      io_.get_executor()};
  std::thread thread_;
};

TEST(HttpServer, ServesOnALoopThatItIsGiven) {
  Loop loop;
  std::atomic<std::thread::id> served_on;
  auto server = HttpServer::start(
      {},
      [&](const HttpRequest& request, const HttpResponder& respond) {
        served_on = std::this_thread::get_id();
        echo(request, respond);
      },
      &loop.io());
  ASSERT_TRUE(server.ok()) << server.error().message();
  RawClient client((*server)->port());
  for (int i = 0; i < 3; ++i) {
    client.send("GET /x HTTP/1.1\r\n\r\n");
    EXPECT_EQ(body_of(client.answer()), "GET /x  ");
  }
  EXPECT_EQ(served_on.load(), loop.id());
  client.send("GET /half");
  loop.stop();
  server->reset();  // with a connection, and a read of it, that are still there
}

// Each is answered before its handler returns: that must not be one call within another.
TEST(HttpServer, ManyPipelinedRequestsThatAreAnsweredAtOnce) {
  constexpr int kRequests = 20'000;
  const auto server = start({}, echo);
  RawClient client(server->port());
  std::thread sender([&] {
    std::string requests;
    for (int i = 0; i < kRequests; ++i) {
      requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n";
    }
    client.send(requests);
  });
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_EQ(body_of(client.answer()), "GET /" + std::to_string(i) + "  ");
  }
  sender.join();
}

TEST(HttpServer, SaysWhichMethodsAPathTakes) {
  const auto server = start({}, [](const HttpRequest&, const HttpResponder& respond) {
    HttpResponse response = http_error(405, "POST it");
    response.allow = "POST";
    respond(response);
  });
  RawClient client(server->port());
  client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string got = client.answer();
  EXPECT_EQ(status_of(got), 405);
  EXPECT_NE(got.find("\r\nAllow: POST\r\n"), std::string::npos) << got;
}

TEST(HttpServer, SaysWhereToAskInstead) {
  const auto server = start({}, [](const HttpRequest&, const HttpResponder& respond) {
    HttpResponse response = http_error(307, "ask there");
    response.location = "http://127.0.0.1:9/x";
    respond(response);
  });
  const auto got = http_call("GET", url(*server, "/x"), "", kPatienceMs);
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->status, 307);
  EXPECT_EQ(got->location, "http://127.0.0.1:9/x");
}

TEST(HttpServer, PipelinedRequestsOfManyClientsAreAnsweredInOrder) {
  BackgroundAnswers background;
  const auto server = start({}, [&](HttpRequest request, HttpResponder respond) {
    background.add(std::move(request), std::move(respond));
  });
  constexpr int kClients = 20;
  constexpr int kRounds = 25;
  constexpr int kDepth = 16;
  std::atomic<int> right = 0;
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      RawClient client(server->port());
      for (int round = 0; round < kRounds; ++round) {
        std::string requests;
        for (int i = 0; i < kDepth; ++i) {
          const std::string body(static_cast<size_t>((c * 37 + i * 911) % 5000), 'x');
          requests += "POST /" + std::to_string(c) + "/" + std::to_string(round * kDepth + i) +
                      " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                      "\r\n\r\n" + body;
        }
        client.send(requests);
        for (int i = 0; i < kDepth; ++i) {
          const std::string body(static_cast<size_t>((c * 37 + i * 911) % 5000), 'x');
          right += body_of(client.answer()) == "POST /" + std::to_string(c) + "/" +
                                                   std::to_string(round * kDepth + i) + "  " + body;
        }
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right.load(), kClients * kRounds * kDepth);
}

TEST(HttpServer, ReadsARequestByteByByte) {
  const auto server = start({}, echo);
  RawClient client(server->port());
  for (const char c :
       std::string("POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")) {
    client.send(std::string_view(&c, 1));
  }
  EXPECT_EQ(body_of(client.answer()), "POST /slow  abc");
}

TEST(HttpServer, ReadsAChunkedBody) {
  const auto server = start({}, echo);
  RawClient client(server->port());
  client.send(
      "PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n4;note=1\r\ndefg\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body_of(client.answer()), "PUT /c  abcdefg");
  EXPECT_EQ(body_of(client.answer()), "GET /next  ");
}

TEST(HttpServer, TellsAClientToGoOn) {
  const auto server = start({}, echo);
  RawClient client(server->port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 100);
  client.send("ok");
  EXPECT_EQ(body_of(client.answer()), "POST /  ok");
}

TEST(HttpServer, ClosesWhenTheClientAsks) {
  const auto server = start({}, echo);
  for (const char* head :
       {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"}) {
    RawClient client(server->port());
    client.send(head);
    EXPECT_EQ(status_of(client.answer()), 200);
    EXPECT_TRUE(client.closed_by_server());
  }
}

TEST(HttpServer, AnswersHeadWithoutABody) {
  const auto server = start({}, echo);
  RawClient client(server->port());
  client.send("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_NE(client.pending().find("Content-Length: 9\r\n"), std::string::npos);
  EXPECT_EQ(body_of(client.pending()), "");
}

TEST(HttpServer, RefusesTooLargeABody) {
  HttpServerConfig config;
  config.max_body_bytes = 1000;
  const auto server = start(config, echo);
  const auto fits = http_call("POST", url(*server, "/"), std::string(1000, 'a'), kPatienceMs);
  ASSERT_TRUE(fits.ok());
  EXPECT_EQ(fits->status, 200);
  const auto large = http_call("POST", url(*server, "/"), std::string(3'000'000, 'a'), kPatienceMs);
  ASSERT_TRUE(large.ok()) << large.error().message();
  EXPECT_EQ(large->status, 413);
  EXPECT_TRUE(is_json_error(large->body)) << large->body;

  RawClient chunked(server->port());
  chunked.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 11; ++i) chunked.send("64\r\n" + std::string(100, 'a') + "\r\n");
  EXPECT_EQ(status_of(chunked.answer()), 413);
}

TEST(HttpServer, RefusesTooLargeAHeader) {
  const auto server = start({}, echo);
  RawClient field(server->port());
  field.send("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'a'));
  const std::string answer = field.answer();
  EXPECT_EQ(status_of(answer), 431);
  EXPECT_TRUE(is_json_error(body_of(answer)));
  EXPECT_TRUE(field.closed_by_server());

  RawClient target(server->port());
  target.send("GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_EQ(status_of(target.answer()), 431);

  RawClient chunk(server->port());
  chunk.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(200'000, 'a'));
  EXPECT_EQ(status_of(chunk.answer()), 431);
}

TEST(HttpServer, RefusesWhatIsNotHttp) {
  const auto server = start({}, echo);
  for (const char* bytes : {"hello\r\n\r\n", "GET / HTTP/3.7\r\n\r\n", "GET  HTTP/1.1\r\n\r\n",
                            "GET / HTTP/1.1\r\nno colon\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
                            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
    RawClient client(server->port());
    client.send(bytes);
    const std::string answer = client.answer();
    EXPECT_EQ(status_of(answer), 400) << bytes;
    EXPECT_TRUE(is_json_error(body_of(answer))) << bytes;
    EXPECT_TRUE(client.closed_by_server()) << bytes;
  }
}

TEST(HttpServer, SurvivesGarbage) {
  const auto server = start({}, echo);
  rc::check("any bytes", [&](const std::string& bytes) {
    const auto prefix = *rc::gen::element<std::string>(
        "", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    RawClient client(server->port());
    client.send(prefix + bytes);
    client.end_sending();
    RC_ASSERT(client.closed_by_server());
  });
  const auto after = http_call("GET", url(*server, "/"), "", kPatienceMs);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->status, 200);
}

TEST(HttpServer, CutsAClientThatSendsTooSlowly) {
  HttpServerConfig config;
  config.read_timeout_ms = 40;
  const auto server = start(config, echo);
  for (const char* start_of_request :
       {"GE", "GET / HTTP/1.1\r\nHost", "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"}) {
    RawClient client(server->port());
    client.send(start_of_request);
    EXPECT_TRUE(client.closed_by_server());
    EXPECT_EQ(client.pending(), "");
  }
}

TEST(HttpServer, CutsAnIdleClient) {
  HttpServerConfig config;
  config.idle_timeout_ms = 40;
  const auto server = start(config, echo);
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(status_of(client.answer()), 200);
  EXPECT_TRUE(client.closed_by_server());
}

TEST(HttpServer, CutsAClientThatDoesNotRead) {
  HttpServerConfig config;
  config.write_timeout_ms = 40;
  const auto server = start(config, [](const HttpRequest&, const HttpResponder& respond) {
    HttpResponse response;
    response.body.assign(64u << 20, 'a');
    respond(std::move(response));
  });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  // Only a cut connection ever refuses to take more bytes: the server does not read while it
  // writes, and a full send buffer would block.
  EXPECT_TRUE(client.send_until_refused());
  EXPECT_LT(client.answer().size(), 64u << 20);
}

TEST(HttpServer, AnswersForAHandlerThatDoesNot) {
  HttpServerConfig config;
  config.answer_timeout_ms = 40;
  std::mutex mutex;
  std::vector<HttpResponder> forgotten;
  const auto server = start(config, [&](const HttpRequest& request, HttpResponder respond) {
    if (request.target == "/now") {
      echo(request, respond);
    } else {
      const std::lock_guard lock(mutex);
      forgotten.push_back(std::move(respond));
    }
  });
  RawClient client(server->port());
  client.send("GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.answer();
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_TRUE(is_json_error(body_of(answer)));
  // The late answer goes nowhere, and the connection goes on with the next request.
  {
    const std::lock_guard lock(mutex);
    ASSERT_EQ(forgotten.size(), 1u);
    forgotten[0]({200, "text/plain", "late"});
  }
  client.send("GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(body_of(client.answer()), "GET /now  ");
}

TEST(HttpServer, TakesTheFirstAnswerOnly) {
  const auto server = start({}, [](const HttpRequest& request, const HttpResponder& respond) {
    respond({201, "text/plain", request.target});
    respond({202, "text/plain", "second"});
  });
  RawClient client(server->port());
  client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  for (const char* target : {"/1", "/2"}) {
    const std::string answer = client.answer();
    EXPECT_EQ(status_of(answer), 201);
    EXPECT_EQ(body_of(answer), target);
  }
}

TEST(HttpServer, AnswersForAHandlerThatThrows) {
  const auto server = start(
      {}, [](const HttpRequest&, const HttpResponder&) { throw std::runtime_error("broken"); });
  const auto got = http_call("GET", url(*server, "/"), "", kPatienceMs);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->status, 500);
}

TEST(HttpServer, RefusesConnectionsAboveTheLimit) {
  HttpServerConfig config;
  config.max_connections = 2;
  const auto server = start(config, echo);
  {
    RawClient first(server->port());
    RawClient second(server->port());
    for (RawClient* client : {&first, &second}) {
      client->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      EXPECT_EQ(status_of(client->answer()), 200);
    }
    RawClient third(server->port());
    const std::string answer = third.answer();
    EXPECT_EQ(status_of(answer), 503);
    EXPECT_TRUE(is_json_error(body_of(answer)));
    EXPECT_TRUE(third.closed_by_server());
    first.send("GET /still HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(body_of(first.answer()), "GET /still  ");
  }
  // Both have gone: there is room again as soon as the server has seen it.
  int status = 503;
  while (status == 503) {
    const auto got = http_call("GET", url(*server, "/"), "", kPatienceMs);
    ASSERT_TRUE(got.ok()) << got.error().message();
    status = got->status;
  }
  EXPECT_EQ(status, 200);
}

TEST(HttpServer, AnAnswerAfterItsEndIsHarmless) {
  std::promise<HttpResponder> given;
  auto server = start(
      {}, [&](const HttpRequest&, HttpResponder respond) { given.set_value(std::move(respond)); });
  RawClient client(server->port());
  client.send("GET / HTTP/1.1\r\n\r\n");
  const HttpResponder respond = given.get_future().get();
  server.reset();
  respond({200, "text/plain", "too late"});
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_EQ(client.pending(), "");
}

TEST(HttpServer, SaysWhyItCannotListen) {
  const auto server = start({}, echo);
  HttpServerConfig taken;
  taken.port = server->port();
  const auto second = HttpServer::start(taken, echo);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message().find(std::to_string(server->port())), std::string::npos);
  HttpServerConfig nowhere;
  nowhere.address = "nowhere";
  EXPECT_EQ(HttpServer::start(nowhere, echo).error().code(), ErrorCode::kUser);
}

TEST(HttpCall, TellsAWrongAddressFromAnAbsentServer) {
  for (const char* bad : {"127.0.0.1:80", "https://127.0.0.1/", "http://", "http://host:port/"}) {
    const auto got = http_call("GET", bad, "", kPatienceMs);
    ASSERT_FALSE(got.ok()) << bad;
    EXPECT_EQ(got.error().code(), ErrorCode::kUser) << bad;
  }
  auto server = start({}, echo);
  const std::string gone = url(*server, "/");
  server.reset();
  const auto got = http_call("GET", gone, "", kPatienceMs);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
}

TEST(HttpCall, DoesNotWaitLongerThanAsked) {
  const auto server = start({}, [](const HttpRequest&, const HttpResponder&) {});
  const auto got = http_call("GET", url(*server, "/"), "", 30);
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
}

TEST(HttpError, EscapesItsMessage) {
  const HttpResponse response = http_error(404, "no 'a\"b\n'");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.body, "{\"error\":{\"message\":\"no 'a\\\"b\\n'\"}}");
}

}  // namespace
}  // namespace tidemill
