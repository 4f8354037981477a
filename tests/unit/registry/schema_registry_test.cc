#include "shared/registry/schema_registry.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <thread>

#include "shared/registry/registry_http.h"
#include "shared/schema/schema_limits.h"
#include "tests/unit/registry/fake_registry.h"

namespace tidemill {
namespace {

using test::FakeRegistry;
using Asked = std::vector<std::string>;

RegistryPatience impatient() {
  RegistryPatience patience;
  patience.tries = 2;
  patience.first_pause_ms = patience.recheck_ms = 1;
  patience.rest_ms = patience.longest_rest_ms = 0;
  return patience;
}

std::shared_ptr<SchemaRegistry> open(const FakeRegistry& fake,
                                     const RegistryPatience& patience = impatient()) {
  auto opened = SchemaRegistry::open(fake.settings(), patience);
  EXPECT_TRUE(opened.ok());
  return *opened;
}

Result<std::vector<SchemaRegistry::Schema>> ask(SchemaRegistry* registry,
                                                const std::vector<uint32_t>& ids) {
  return registry->schemas(ids);
}

TEST(SchemaRegistry, ASchemaIsAskedForOnce) {
  FakeRegistry fake;
  fake.put_avro(7, R"("long")");
  fake.put_protobuf(8, "syntax = \"proto3\";");
  const auto registry = open(fake);
  for (int i = 0; i < 3; ++i) {
    const auto got = ask(registry.get(), {7, 8, 7});
    ASSERT_TRUE(got.ok()) << got.error().message();
    ASSERT_EQ(got->size(), 3u);
    EXPECT_EQ((*got)[0]->text, R"("long")");
    EXPECT_EQ((*got)[0]->type, "AVRO");
    EXPECT_EQ((*got)[1]->type, "PROTOBUF");
    EXPECT_EQ((*got)[2], (*got)[0]);
  }
  EXPECT_EQ(fake.asked(), (Asked{"/schemas/ids/7", "/schemas/ids/8"}));
}

TEST(SchemaRegistry, ReferencesComeEachAfterItsOwn) {
  FakeRegistry fake;
  fake.put_protobuf(1, "main",
                    R"([{"name":"a.proto","subject":"a/b c-ü","version":3},)"
                    R"({"name":"c.proto","subject":"c","version":1}])");
  fake.put("/subjects/a%2Fb%20c-%C3%BC/versions/3?deleted=true",
           R"({"schema":"a","references":[{"name":"c.proto","subject":"c","version":1}]})");
  fake.put("/subjects/c/versions/1?deleted=true", R"({"schema":"c"})");
  const auto got = ask(open(fake).get(), {1});
  ASSERT_TRUE(got.ok()) << got.error().message();
  const std::vector<std::pair<std::string, std::string>> expected{{"c.proto", "c"},
                                                                  {"a.proto", "a"}};
  EXPECT_EQ((*got)[0]->references, expected);
  EXPECT_EQ(fake.asked().size(), 3u);
}

// A schema that refers to itself ends.
TEST(SchemaRegistry, CirclesOfReferencesEnd) {
  FakeRegistry fake;
  const std::string self =
      R"({"schema":"s","references":[{"name":"s","subject":"s","version":1}]})";
  fake.put("/schemas/ids/1", self);
  fake.put("/subjects/s/versions/1?deleted=true", self);
  const auto got = ask(open(fake).get(), {1});
  ASSERT_TRUE(got.ok());
  EXPECT_EQ((*got)[0]->references.size(), 1u);
}

TEST(SchemaRegistry, AnUnknownIdIsAskedForTwiceAndThenBelieved) {
  FakeRegistry fake;
  const auto registry = open(fake);
  for (int i = 0; i < 3; ++i) {
    const auto got = ask(registry.get(), {9});
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_EQ((*got)[0], nullptr);
  }
  EXPECT_EQ(fake.asked(), (Asked{"/schemas/ids/9", "/schemas/ids/9"}));
}

TEST(SchemaRegistry, AnUnknownIdIsAskedForAgainLater) {
  FakeRegistry fake;
  RegistryPatience patience = impatient();
  patience.unknown_ms = 0;
  const auto registry = open(fake, patience);
  ASSERT_EQ((*ask(registry.get(), {9}))[0], nullptr);
  fake.put_avro(9, R"("int")");
  EXPECT_NE((*ask(registry.get(), {9}))[0], nullptr);
}

TEST(SchemaRegistry, OneThatFailsIsAskedAgainAndThenLeftAlone) {
  FakeRegistry fake;
  fake.put_avro(1, R"("int")");
  fake.set_status(503);
  RegistryPatience patience = impatient();
  patience.rest_ms = patience.longest_rest_ms = 60'000;
  const auto registry = open(fake, patience);
  for (int i = 0; i < 3; ++i) {
    const auto got = ask(registry.get(), {1});
    ASSERT_FALSE(got.ok());
    EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
    EXPECT_NE(
        got.error().message().find(fake.url() + ": GET /schemas/ids/1 has status 503, out of"),
        std::string::npos)
        << got.error().message();
  }
  EXPECT_EQ(fake.asked().size(), 2u);  // two tries, then it rests
}

TEST(SchemaRegistry, WhenItWorksAgainItAnswers) {
  FakeRegistry fake;
  fake.put_avro(1, R"("int")");
  const auto registry = open(fake);
  fake.set_status(500);
  ASSERT_FALSE(ask(registry.get(), {1}).ok());
  fake.set_status(200);
  EXPECT_TRUE(ask(registry.get(), {1}).ok());
}

TEST(SchemaRegistry, OtherAnswersAreNoWordOnTheSchema) {
  FakeRegistry fake;
  const auto registry = open(fake);
  const auto why = [&] {
    const auto got = ask(registry.get(), {1});
    return got.ok() ? std::string("an answer") : got.error().message();
  };
  fake.set_status(404);  // of another error_code
  EXPECT_NE(why().find("is 'url' under 'registry' that of a schema registry?"), std::string::npos);
  fake.set_status(401);
  EXPECT_NE(why().find("'user' or 'password' under 'registry' is wrong"), std::string::npos);
  fake.set_status(200);
  fake.put("/schemas/ids/1", "<html>");
  EXPECT_NE(why().find("the answer is not that of a schema registry"), std::string::npos);
}

TEST(SchemaRegistry, OneThatIsNotThereIsRetryable) {
  proto::SchemaRegistry settings;
  settings.set_url("http://127.0.0.1:1");
  const auto registry = SchemaRegistry::open(settings, impatient());
  ASSERT_TRUE(registry.ok());
  const auto got = ask(registry->get(), {1});
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), ErrorCode::kRetryable);
  EXPECT_NE(got.error().message().find("the schema registry http://127.0.0.1:1: "),
            std::string::npos);
}

TEST(SchemaRegistry, CredentialsAreVariables) {
  proto::SchemaRegistry settings;
  settings.set_url("http://127.0.0.1:1");
  settings.set_password("${TIDEMILL_TEST_NOT_SET}");
  const auto registry = SchemaRegistry::open(settings, impatient());
  ASSERT_FALSE(registry.ok());
  EXPECT_NE(registry.error().message().find("TIDEMILL_TEST_NOT_SET is not set"), std::string::npos);
}

// Records may name any number of ids: each question gets further, whatever was asked before.
TEST(SchemaRegistry, AQuestionIsOfSoManyNewIds) {
  FakeRegistry fake;
  RegistryPatience patience = impatient();
  patience.unknown_ms = 0;  // nothing that was asked before is believed now
  const auto registry = open(fake, patience);
  std::vector<uint32_t> ids;
  for (uint32_t id = 1; id <= kMaxNewIds + 10; ++id) ids.push_back(id);
  const auto first = ask(registry.get(), ids);
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ(first->size(), kMaxNewIds);
  EXPECT_EQ(fake.asked().size(), 2 * kMaxNewIds);
  ids.erase(ids.begin(), ids.begin() + kMaxNewIds);
  EXPECT_EQ(ask(registry.get(), ids)->size(), 10u);
}

// An id whose answer makes no sense takes nothing from those before it.
TEST(SchemaRegistry, WhatWasAnsweredIsKeptWhenTheRestFails) {
  FakeRegistry fake;
  fake.put_avro(1, R"("int")");
  fake.put("/schemas/ids/3", "<html>");
  const auto registry = open(fake);
  for (int i = 0; i < 2; ++i) {
    const auto got = ask(registry.get(), {1, 2, 3, 4});
    ASSERT_TRUE(got.ok()) << got.error().message();
    ASSERT_EQ(got->size(), 2u);
    EXPECT_NE((*got)[0], nullptr);
    EXPECT_EQ((*got)[1], nullptr);
  }
  EXPECT_EQ(fake.asked(), (Asked{"/schemas/ids/1", "/schemas/ids/2", "/schemas/ids/3",
                                 "/schemas/ids/2", "/schemas/ids/3"}));
  EXPECT_FALSE(ask(registry.get(), {3, 4}).ok());
}

// Whoever waits for the registry holds a thread that other jobs need.
TEST(SchemaRegistry, OneWaitsForTheAnswerAndOthersDoNot) {
  FakeRegistry fake;
  fake.put_avro(1, R"("int")");
  fake.put_avro(2, R"("long")");
  const auto registry = open(fake);
  ASSERT_TRUE(ask(registry.get(), {1}).ok());
  fake.hold(true);
  std::thread waiting([&] {
    const auto got = ask(registry.get(), {2});
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_EQ(got->size(), 1u);
  });
  while (fake.asked().size() < 2) std::this_thread::yield();
  const auto others = ask(registry.get(), {1, 2, 1});
  ASSERT_TRUE(others.ok()) << others.error().message();
  EXPECT_EQ(others->size(), 1u);
  EXPECT_EQ(ask(registry.get(), {2})->size(), 0u);
  fake.hold(false);
  waiting.join();
  EXPECT_EQ(ask(registry.get(), {1, 2, 1})->size(), 3u);
  EXPECT_EQ(fake.asked().size(), 2u);
}

// No record can be read by it, ever: it is handed back as that, without its text.
TEST(SchemaRegistry, ASchemaBeyondTheBoundsIsNotValid) {
  FakeRegistry fake;
  const auto fault_of = [&](uint32_t id) {
    const auto got = ask(open(fake).get(), {id});
    if (!got.ok()) return "error: " + got.error().message();
    EXPECT_TRUE((*got)[0]->text.empty() == !(*got)[0]->fault.empty());
    EXPECT_TRUE((*got)[0]->references.empty() || (*got)[0]->fault.empty());
    return (*got)[0]->fault;
  };
  fake.put_avro(1, std::string(kMaxSchemaBytes, 'x'));
  EXPECT_EQ(fault_of(1), "");
  fake.put_avro(2, std::string(kMaxSchemaBytes + 1, 'x'));
  EXPECT_EQ(fault_of(2), "it has more than 1048576 bytes");
  fake.put_avro(3, std::string(kMaxRegistryAnswerBytes, 'x'));
  EXPECT_EQ(fault_of(3), "it has more than 1048576 bytes");
  std::string references;
  for (size_t i = 0; i <= kMaxSchemaReferences; ++i) {
    references += std::string(i == 0 ? "" : ",") + R"({"name":"a","subject":"s)" +
                  std::to_string(i) + R"(","version":1})";
  }
  fake.put_protobuf(4, "main", "[" + references + "]");
  EXPECT_EQ(fault_of(4), "it refers to more than 256 schemas");
  fake.put_protobuf(5, "main", R"([{"name":"large","subject":"l","version":1}])");
  fake.put("/subjects/l/versions/1?deleted=true",
           R"({"schema":")" + std::string(kMaxSchemaBytes + 1, 'x') + R"("})");
  EXPECT_EQ(fault_of(5), "it refers to 'large': it has more than 1048576 bytes");
  references.clear();
  for (int i = 0; i < 9; ++i) {
    const std::string subject = "m" + std::to_string(i);
    references += std::string(i == 0 ? "" : ",") + R"({"name":"a","subject":")" + subject +
                  R"(","version":1})";
    fake.put("/subjects/" + subject + "/versions/1?deleted=true",
             R"({"schema":")" + std::string(1'000'000, 'x') + R"("})");
  }
  fake.put_protobuf(6, "main", "[" + references + "]");
  EXPECT_EQ(fault_of(6), "it refers to more than 8388608 bytes of schemas");
}

// Takes one connection, and answers so many requests on it.
class OneConnection {
 public:
  explicit OneConnection(int answers) : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this, answers] { serve(answers); });
  }
  ~OneConnection() {
    thread_.join();
    ::close(listener_);
  }
  const std::string& url() const { return url_; }

 private:
  void serve(int answers) const {
    constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    const int connection = ::accept(listener_, nullptr, nullptr);
    std::string asked;
    std::array<char, 4096> buffer{};
    for (int i = 0; i < answers; ++i) {
      for (; asked.find("\r\n\r\n") == std::string::npos;) {
        const ssize_t got = ::recv(connection, buffer.data(), buffer.size(), 0);
        if (got <= 0) break;
        asked.append(buffer.data(), static_cast<size_t>(got));
      }
      asked.clear();
      ::send(connection, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    }
    ::close(connection);
  }

  int listener_;
  std::string url_;
  std::thread thread_;
};

TEST(RegistryConnection, IsKept) {
  const OneConnection server(3);
  RegistryConnection connection({server.url(), "", ""}, 2000, 2000);
  for (int i = 0; i < 3; ++i) {
    const auto answer = connection.get("/schemas/ids/1");
    ASSERT_TRUE(answer.ok()) << i << ": " << answer.error().message();
    EXPECT_EQ(answer->body, "{}");
  }
}

}  // namespace
}  // namespace tidemill
