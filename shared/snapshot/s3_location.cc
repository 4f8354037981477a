#include "shared/snapshot/s3_location.h"

#include <algorithm>

#include "shared/snapshot/object_name.h"

namespace tidemill {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";

Error wrong(const std::string& location, const std::string& what) {
  return user_error("snapshot storage '" + location + "': " + what +
                    "; write s3://BUCKET/PREFIX?endpoint=https://HOST:PORT&region=REGION, where "
                    "PREFIX, endpoint and region may be left out");
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
bool is_bucket(std::string_view name) {
  constexpr size_t kMin = 3;
  constexpr size_t kMax = 63;
  return name.size() >= kMin && name.size() <= kMax && is_lower_or_digit(name.front()) &&
         is_lower_or_digit(name.back()) && std::all_of(name.begin(), name.end(), [](char c) {
           return is_lower_or_digit(c) || c == '-' || c == '.';
         });
}

bool is_region(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

// A scheme, a host, perhaps a port and nothing more: credentials do not belong in a URL.
bool is_endpoint(std::string_view url) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    const std::string_view authority = url.substr(scheme.size());
    return !authority.empty() && std::all_of(authority.begin(), authority.end(), [](char c) {
      return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == ':' ||
             c == '[' || c == ']';
    });
  }
  return false;
}

}  // namespace

Result<S3Location> parse_s3_location(const std::string& location) {
  std::string_view rest = location;
  if (!rest.starts_with(kS3Scheme)) return wrong(location, "it does not begin with s3://");
  rest.remove_prefix(kS3Scheme.size());
  const size_t question = rest.find('?');
  std::string_view options = question == std::string_view::npos ? "" : rest.substr(question + 1);
  rest = rest.substr(0, question);
  const size_t slash = std::min(rest.find('/'), rest.size());
  S3Location out;
  out.bucket = rest.substr(0, slash);
  out.region = kDefaultRegion;
  if (!is_bucket(out.bucket)) {
    return wrong(location, "'" + out.bucket + "' is no name of a bucket (3 to 63 of a-z 0-9 - .)");
  }
  std::string_view prefix = rest.substr(std::min(slash + 1, rest.size()));
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!prefix.empty() && !is_object_name(prefix)) {
    return wrong(location, "the prefix has other characters than A-Z a-z 0-9 . _ - /");
  }
  if (!prefix.empty()) out.prefix = std::string(prefix) + "/";
  std::string endpoint;
  while (!options.empty()) {
    const size_t end = std::min(options.find('&'), options.size());
    const std::string_view option = options.substr(0, end);
    options.remove_prefix(std::min(end + 1, options.size()));
    if (option.starts_with("endpoint=")) {
      endpoint = option.substr(option.find('=') + 1);
      if (endpoint.ends_with('/')) endpoint.pop_back();
      if (!is_endpoint(endpoint)) return wrong(location, "'" + endpoint + "' is no endpoint");
    } else if (option.starts_with("region=")) {
      out.region = option.substr(option.find('=') + 1);
      if (!is_region(out.region)) return wrong(location, "'" + out.region + "' is no region");
    } else {
      return wrong(location, "there is no option '" + std::string(option) + "'");
    }
  }
  out.base = endpoint.empty() ? "https://" + out.bucket + ".s3." + out.region + ".amazonaws.com"
                              : endpoint + "/" + out.bucket;
  return out;
}

Result<S3Credentials> s3_credentials(const Environment& environment) {
  S3Credentials out;
  out.key_id = environment("AWS_ACCESS_KEY_ID").value_or("");
  out.secret = environment("AWS_SECRET_ACCESS_KEY").value_or("");
  out.session_token = environment("AWS_SESSION_TOKEN").value_or("");
  if (out.key_id.empty() || out.secret.empty()) {
    return user_error(
        "snapshot storage in S3 needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
        "(and AWS_SESSION_TOKEN, where there is one) in the environment");
  }
  return out;
}

}  // namespace tidemill
