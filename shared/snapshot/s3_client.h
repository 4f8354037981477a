// S3Client: signed requests to an S3-compatible server (AWS Signature Version 4, which libcurl
// makes), each tried again where that may help.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
//
// The hash of every body is signed, over TLS or not: a server refuses what was damaged on the way.
//
// thread-safe, blocking: a call takes a connection out of a pool for itself. Everything has a
// timeout: finding the server, a stall, and the whole request by its size.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "shared/base/result.h"
#include "shared/snapshot/s3_answers.h"
#include "shared/snapshot/s3_location.h"

namespace tidemill {

struct S3Request {
  const char* method = "GET";  // GET, PUT, POST, DELETE
  std::string object = {};     // with the location's prefix; empty: the bucket itself
  std::vector<std::pair<std::string, std::string>> query = {};  // sorted by name
  std::span<const uint8_t> body = {};
  const char* content_type = nullptr;
  // Takes the body of a good answer as it comes, which else is kept; `restart` is called before
  // each try.
  std::function<Status(std::span<const uint8_t>)> take = {};
  std::function<Status()> restart = {};
};

struct S3Answer {
  int status = 0;
  std::string body;    // at most kMaxS3AnswerBytes
  std::string tag;     // ETag, with its quotes
  std::string region;  // of the bucket, where the server says so
  S3Fault fault;       // of a status that is no success
  bool good() const { return status >= 200 && status < 300 && fault.code.empty(); }
};

inline constexpr size_t kMaxS3AnswerBytes = 256u << 20;

// How long to wait and how often to try.
struct S3Patience {
  int tries = 5;
  int64_t first_pause_ms = 200;  // doubled each time
  int64_t connect_ms = 5000;
  int64_t stall_s = 20;
};

class S3Client {
 public:
  S3Client(S3Location location, S3Credentials credentials, S3Patience patience);
  ~S3Client();
  S3Client(const S3Client&) = delete;
  S3Client& operator=(const S3Client&) = delete;

  // An answer of whatever status but those that are worth another try. kRetryable: none came.
  Result<S3Answer> call(const S3Request& request);
  // What an answer that is not good means: names the request, and what would be right.
  Error error_of(const S3Request& request, const S3Answer& answer) const;
  const S3Location& location() const { return location_; }

 private:
  class Pool;

  std::string describe(const S3Request& request) const;
  std::string url_of(const S3Request& request) const;

  S3Location location_;
  S3Credentials credentials_;
  S3Patience patience_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace tidemill
