// FakeServer: an HTTP server whose answers a test states beforehand, and which remembers what it
// was asked. Stands for the coordinator and for the store.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <vector>

#include "shared/net/http_server.h"

namespace tidemill::cli {

class FakeServer {
 public:
  FakeServer() {
    auto started =
        HttpServer::start({}, [this](const HttpRequest& request, const HttpResponder& respond) {
          const std::lock_guard lock(mutex_);
          asked_.push_back(request);
          const auto found = answers_.find(request.method + " " + request.target);
          if (found == answers_.end()) {
            respond(http_error(404, "no answer to " + request.target));
            return;
          }
          respond(found->second.front());
          if (found->second.size() > 1) found->second.erase(found->second.begin());
        });
    EXPECT_TRUE(started.ok());
    server_ = std::move(started).value();
  }

  // Answers to "GET /v1/jobs", one after the other; the last one for ever.
  void answer(const std::string& request, int status, const std::string& body) {
    const std::lock_guard lock(mutex_);
    answers_[request].push_back({status, "application/json", body});
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(server_->port()); }
  std::string url() const { return "http://" + address(); }
  std::vector<HttpRequest> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<HttpResponse>> answers_;
  std::vector<HttpRequest> asked_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace tidemill::cli
