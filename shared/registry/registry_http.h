// RegistryConnection: GET requests to a schema registry, over http or https, one after another on a
// connection that is kept. Blocking, and used by one task at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shared/base/result.h"

namespace tidemill {

struct RegistryAnswer {
  int status = 0;
  std::string body;  // at most kMaxRegistryAnswerBytes
  bool cut = false;  // it was larger: the body is its beginning
};

inline constexpr size_t kMaxRegistryAnswerBytes = 8u << 20;

struct RegistryLogin {
  std::string url;   // without a '/' at its end
  std::string user;  // of basic authentication; empty: none
  std::string password;
};

class RegistryConnection {
 public:
  RegistryConnection(RegistryLogin login, int64_t connect_ms, int64_t answer_ms);
  ~RegistryConnection();
  RegistryConnection(const RegistryConnection&) = delete;
  RegistryConnection& operator=(const RegistryConnection&) = delete;

  const RegistryLogin& login() const { return login_; }
  // Of whatever status. kRetryable: no answer came. kUser: the server is not trusted.
  Result<RegistryAnswer> get(const std::string& path);

 private:
  struct Handle;
  const RegistryLogin login_;
  const int64_t connect_ms_;
  const int64_t answer_ms_;
  std::unique_ptr<Handle> handle_;  // null until it is needed
};

}  // namespace tidemill
