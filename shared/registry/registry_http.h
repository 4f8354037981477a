// RegistryHttp: GET requests to a schema registry, over http or https. thread-safe, blocking
#pragma once

#include <cstdint>
#include <string>

#include "shared/base/result.h"

namespace tidemill {

struct RegistryAnswer {
  int status = 0;
  std::string body;  // at most kMaxRegistryAnswerBytes
};

inline constexpr size_t kMaxRegistryAnswerBytes = 8u << 20;

struct RegistryLogin {
  std::string url;   // without a '/' at its end
  std::string user;  // of basic authentication; empty: none
  std::string password;
};

// Of whatever status. kRetryable: no answer came. kUser: the server is not trusted.
Result<RegistryAnswer> registry_get(const RegistryLogin& login, const std::string& path,
                                    int64_t connect_ms, int64_t answer_ms);

// A name as part of a path.
std::string path_segment(const std::string& name);

}  // namespace tidemill
