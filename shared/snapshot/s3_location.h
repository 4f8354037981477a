// S3Location: which bucket of which S3-compatible server snapshots are kept in.
//
//   s3://BUCKET/PREFIX?endpoint=URL&region=R
//
// Without an endpoint the bucket is at Amazon's, addressed as BUCKET.s3.R.amazonaws.com; at an
// endpoint of one's own it is addressed by path, URL/BUCKET, which every server understands.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "shared/base/result.h"

namespace tidemill {

struct S3Location {
  std::string base;  // URL of the bucket, without a slash at its end
  std::string bucket;
  std::string prefix;  // of all objects' names; empty, or with a slash at its end
  std::string region;
};

struct S3Credentials {
  std::string key_id;
  std::string secret;
  std::string session_token;  // empty: none
};

inline constexpr std::string_view kS3Scheme = "s3://";

// kUser, with what would be right.
Result<S3Location> parse_s3_location(const std::string& location);
// Looks up a variable of the environment; nothing: not set.
using Environment = std::function<std::optional<std::string>(const char*)>;
Result<S3Credentials> s3_credentials(const Environment& environment);

}  // namespace tidemill
