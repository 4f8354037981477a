#include "serving/store_routes.h"

#include "shared/net/query_string.h"

namespace tidemill {
namespace {

std::string plain_path(std::string_view target) {
  std::string out;
  for (const char c : target.substr(0, target.find('?'))) {
    if (c != '/' || !out.ends_with('/')) out += c;
  }
  return out;
}

// The job of "<before><job><after>", still encoded; empty if the path is none of those.
std::string_view job_between(std::string_view path, std::string_view before,
                             std::string_view after) {
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) ||
      !path.ends_with(after)) {
    return {};
  }
  path.remove_prefix(before.size());
  path.remove_suffix(after.size());
  return path.find('/') == std::string_view::npos ? path : std::string_view();
}

}  // namespace

std::optional<StoreTarget> parse_target(std::string_view target) {
  StoreTarget out;
  out.path = plain_path(target);
  std::string_view path = out.path;
  if (path == "/v1/features") {
    out.route = StoreRoute::kFeatures;
    return out;
  }
  if (const auto job = job_between(path, "/v1/jobs/", "/keys"); !job.empty()) {
    out.route = StoreRoute::kKeys;
    out.job = percent_decode(job);
    return out;
  }
  if (path.ends_with('/')) path.remove_suffix(1);
  for (const auto& [name, route] :
       {std::pair("/health", StoreRoute::kHealth),
        std::pair("/get-online-features", StoreRoute::kFeastFeatures)}) {
    const auto job = job_between(path, "/jobs/", name);
    if (path != name && job.empty()) continue;
    out.route = route;
    out.job = percent_decode(job);
    return out;
  }
  return {};
}

const char* method_of(StoreRoute route) {
  return route == StoreRoute::kKeys || route == StoreRoute::kHealth ? "GET" : "POST";
}

}  // namespace tidemill
