#include "tests/unit/registry/fake_registry.h"

#include "shared/net/json_text.h"

namespace tidemill::test {
namespace {

std::string json(const std::string& text) {
  std::string out;
  append_json_string(text, &out);
  return out;
}

}  // namespace

FakeRegistry::FakeRegistry() {
  auto server = HttpServer::start({}, [this](HttpRequest request, const HttpResponder& responder) {
    on_request(std::move(request), responder);
  });
  EXPECT_TRUE(server.ok());
  server_ = std::move(*server);
}

proto::SchemaRegistry FakeRegistry::settings() const {
  proto::SchemaRegistry out;
  out.set_url(url() + "/");
  return out;
}

void FakeRegistry::put(const std::string& path, const std::string& body) {
  const std::lock_guard lock(mutex_);
  bodies_[path] = body;
}

void FakeRegistry::put_avro(uint32_t id, const std::string& schema) {
  put("/schemas/ids/" + std::to_string(id), R"({"schema":)" + json(schema) + "}");
}

void FakeRegistry::put_protobuf(uint32_t id, const std::string& schema,
                                const std::string& references) {
  put("/schemas/ids/" + std::to_string(id), R"({"schemaType":"PROTOBUF","schema":)" + json(schema) +
                                                R"(,"references":)" + references + "}");
}

void FakeRegistry::set_status(int status) {
  const std::lock_guard lock(mutex_);
  status_ = status;
}

std::vector<std::string> FakeRegistry::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void FakeRegistry::hold(bool held) {
  const std::lock_guard lock(mutex_);
  held_ = held;
  if (held) return;
  for (const auto& [request, responder] : waiting_) responder(answer(request));
  waiting_.clear();
}

void FakeRegistry::on_request(HttpRequest request, const HttpResponder& responder) {
  const std::lock_guard lock(mutex_);
  asked_.push_back(request.target);
  if (held_) {
    waiting_.emplace_back(std::move(request), responder);
  } else {
    responder(answer(request));
  }
}

HttpResponse FakeRegistry::answer(const HttpRequest& request) {
  if (status_ != 200) {
    return {status_, "application/json", R"({"error_code":50001,"message":"out of order"})"};
  }
  const auto found = bodies_.find(request.target);
  if (found != bodies_.end()) return {200, "application/json", found->second};
  return {404, "application/json", R"({"error_code":40403,"message":"Schema not found"})"};
}

}  // namespace tidemill::test
