// What the client makes of a server's answers; a real server is in tests/integration/s3_test.py.
#include "shared/snapshot/s3_client.h"

#include <gtest/gtest.h>

#include <deque>
#include <mutex>

#include "shared/net/http_server.h"

namespace tidemill {
namespace {

constexpr const char* kSecret = "the-secret-of-this-test";

// Answers what it was told to, one after another, and the last one from then on.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::deque<HttpResponse> script) : script_(std::move(script)) {
    auto server = HttpServer::start({}, [this](HttpRequest request, HttpResponder respond) {
      const std::lock_guard lock(mutex_);
      requests_.push_back(std::move(request));
      const HttpResponse answer = script_.front();
      if (script_.size() > 1) script_.pop_front();
      respond(answer);
    });
    ASSERT(server.ok());
    server_ = std::move(*server);
  }

  S3Location location() const {
    auto parsed = parse_s3_location("s3://bucket/pre?endpoint=http://127.0.0.1:" +
                                    std::to_string(server_->port()));
    ASSERT(parsed.ok());
    return *parsed;
  }
  std::vector<HttpRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  std::mutex mutex_;
  std::deque<HttpResponse> script_;
  std::vector<HttpRequest> requests_;
  std::unique_ptr<HttpServer> server_;
};

HttpResponse answer(int status, const std::string& body) {
  return {.status = status, .content_type = "application/xml", .body = body};
}

HttpResponse fault(int status, const std::string& code) {
  return answer(status, "<Error><Code>" + code + "</Code><Message>as told</Message></Error>");
}

constexpr S3Patience kShort{.tries = 3, .first_pause_ms = 1, .connect_ms = 500, .stall_s = 1};

TEST(S3Client, TriesAgainWhatMayPass) {
  for (const HttpResponse& passing :
       {fault(500, "InternalError"), fault(503, "SlowDown"), answer(502, "<html>"), answer(504, ""),
        answer(429, ""), fault(400, "RequestTimeout")}) {
    ScriptedServer server({passing, passing, answer(200, "done")});
    S3Client client(server.location(), {"id", kSecret, ""}, kShort);
    const auto got = client.call({.object = "pre/x"});
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_EQ(got->body, "done");
    EXPECT_EQ(server.requests().size(), 3u);
    EXPECT_EQ(server.requests()[0].target, "/bucket/pre/x");
  }
}

TEST(S3Client, GivesUpAndSaysWhy) {
  ScriptedServer server({fault(503, "SlowDown")});
  S3Client client(server.location(), {"id", kSecret, ""}, kShort);
  const auto got = client.call({.object = "pre/x"});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
  EXPECT_NE(got.error().message().find("SlowDown"), std::string::npos) << got.error().message();
  EXPECT_NE(got.error().message().find("s3://bucket/pre/x"), std::string::npos);
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(S3Client, ABodyIsSentWholeAtEachTry) {
  const std::vector<uint8_t> body(2'000'000, 'x');
  ScriptedServer server({fault(500, "InternalError"), answer(200, "")});
  S3Client client(server.location(), {"id", kSecret, ""}, kShort);
  ASSERT_TRUE(client.call({.method = "PUT", .object = "pre/x", .body = body}).ok());
  for (const HttpRequest& request : server.requests()) {
    EXPECT_EQ(request.method, "PUT");
    EXPECT_EQ(request.body, std::string(body.begin(), body.end()));
  }
}

TEST(S3Client, WhatTakesTheBodyBeginsAnewAtEachTry) {
  ScriptedServer server({fault(500, "InternalError"), answer(200, "the body")});
  S3Client client(server.location(), {"id", kSecret, ""}, kShort);
  int restarts = 0;
  std::string taken;
  S3Request request{.object = "pre/x"};
  request.restart = [&] {
    ++restarts;
    taken.clear();
    return Status{};
  };
  request.take = [&](std::span<const uint8_t> bytes) {
    taken.append(bytes.begin(), bytes.end());
    return Status{};
  };
  ASSERT_TRUE(client.call(request).ok());
  EXPECT_EQ(restarts, 2);
  EXPECT_EQ(taken, "the body") << "and not what the server said about its error";
}

TEST(S3Client, WhatCannotTakeTheBodyEndsTheCall) {
  ScriptedServer server({answer(200, "the body")});
  S3Client client(server.location(), {"id", kSecret, ""}, kShort);
  S3Request request{.object = "pre/x"};
  request.take = [](std::span<const uint8_t>) { return Status(retryable_error("disk full")); };
  const auto got = client.call(request);
  ASSERT_FALSE(got.ok());
  EXPECT_NE(got.error().message().find("disk full"), std::string::npos);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(S3Client, ACompletionThatFailedWithStatus200IsNoSuccess) {
  ScriptedServer server({fault(200, "InternalError"), fault(200, "InvalidPart")});
  S3Client client(server.location(), {"id", kSecret, ""}, kShort);
  const auto got = client.call({.method = "POST", .object = "pre/x"});
  ASSERT_TRUE(got.ok());
  EXPECT_FALSE(got->good());
  EXPECT_EQ(got->fault.code, "InvalidPart");
  EXPECT_EQ(server.requests().size(), 2u);
}

struct Meaning {
  int status;
  const char* code;
  ErrorCode expected;
  const char* says;
};

TEST(S3Client, ErrorsSayWhatWouldBeRight) {
  for (const Meaning& meaning : {
           Meaning{404, "NoSuchKey", ErrorCode::kCorrupt, "no such object"},
           Meaning{404, "NoSuchBucket", ErrorCode::kUser, "make the bucket 'bucket'"},
           Meaning{403, "SignatureDoesNotMatch", ErrorCode::kUser, "AWS_ACCESS_KEY_ID"},
           Meaning{403, "AccessDenied", ErrorCode::kUser, "s3:GetObject"},
           Meaning{403, "RequestTimeTooSkewed", ErrorCode::kUser, "clock"},
           Meaning{400, "ExpiredToken", ErrorCode::kUser, "credentials"},
           Meaning{301, "PermanentRedirect", ErrorCode::kUser, "another region"},
           Meaning{409, "OperationAborted", ErrorCode::kRetryable, "409"},
       }) {
    ScriptedServer server({fault(meaning.status, meaning.code)});
    S3Client client(server.location(), {"id", kSecret, ""}, kShort);
    const S3Request request{.object = "pre/x"};
    const auto got = client.call(request);
    ASSERT_TRUE(got.ok()) << meaning.code;
    EXPECT_EQ(server.requests().size(), 1u) << meaning.code;
    const Error error = client.error_of(request, *got);
    EXPECT_EQ(error.code(), meaning.expected) << meaning.code;
    for (const char* part : {meaning.says, meaning.code, "s3://bucket/pre/x", "127.0.0.1"}) {
      EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    }
    EXPECT_EQ(error.message().find(kSecret), std::string::npos);
  }
}

TEST(S3Client, AServerThatSaysNothingIsNotWaitedForForever) {
  std::vector<HttpResponder> never;
  std::mutex mutex;
  auto server = HttpServer::start({}, [&](HttpRequest, HttpResponder respond) {
    const std::lock_guard lock(mutex);
    never.push_back(std::move(respond));
  });
  ASSERT_TRUE(server.ok());
  auto location = parse_s3_location("s3://bucket?endpoint=http://127.0.0.1:" +
                                    std::to_string((*server)->port()));
  ASSERT_TRUE(location.ok());
  S3Patience once = kShort;
  once.tries = 1;
  S3Client client(*location, {"id", kSecret, ""}, once);
  const auto got = client.call({.object = "x"});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
  server->reset();
}

TEST(S3Client, QueriesAreEncoded) {
  ScriptedServer server({answer(200, "")});
  S3Client client(server.location(), {"id", kSecret, "session/token+="}, kShort);
  ASSERT_TRUE(client.call({.query = {{"list-type", "2"}, {"prefix", "a/b c"}}}).ok());
  EXPECT_EQ(server.requests()[0].target, "/bucket/?list-type=2&prefix=a%2Fb%20c");
}

}  // namespace
}  // namespace tidemill
