// A schema registry in this process: answers what it was told, counts what it is asked.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/net/http_server.h"

namespace tidemill::test {

class FakeRegistry {
 public:
  FakeRegistry();

  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  proto::SchemaRegistry settings() const;

  // `body`, a JSON object, at the path.
  void put(const std::string& path, const std::string& body);
  // An Avro schema of the id.
  void put_avro(uint32_t id, const std::string& schema);
  void put_protobuf(uint32_t id, const std::string& schema, const std::string& references = "[]");
  // From now on every answer is of this status; 200: it works again.
  void set_status(int status);
  // From now on questions are answered only once this is called with false.
  void hold(bool held);
  // Paths that were asked for, in order.
  std::vector<std::string> asked() const;

 private:
  // With the mutex locked.
  HttpResponse answer(const HttpRequest& request);
  void on_request(HttpRequest request, const HttpResponder& responder);

  mutable std::mutex mutex_;
  std::map<std::string, std::string> bodies_;
  std::vector<std::string> asked_;
  int status_ = 200;
  bool held_ = false;
  std::vector<std::pair<HttpRequest, HttpResponder>> waiting_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace tidemill::test
