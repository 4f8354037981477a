#include <cstdlib>

#include "shared/snapshot/s3_storage.h"

namespace tidemill {

Result<std::shared_ptr<SnapshotStorage>> open_snapshot_storage(const std::string& location,
                                                               uint64_t memory_budget_bytes) {
  if (!location.starts_with(kS3Scheme)) {
    if (location.empty() || location.find("://") != std::string::npos) {
      return user_error("snapshot storage '" + location +
                        "' is neither a directory nor s3://BUCKET/PREFIX?endpoint=URL&region=R");
    }
    return directory_storage(Disk::real(), location);
  }
  auto parsed = parse_s3_location(location);
  if (!parsed) return parsed.error();
  auto credentials = s3_credentials([](const char* name) -> std::optional<std::string> {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  if (!credentials) return credentials.error();
  return s3_storage(std::move(*parsed), std::move(*credentials), S3Patience{},
                    s3_part_bytes(memory_budget_bytes));
}

}  // namespace tidemill
