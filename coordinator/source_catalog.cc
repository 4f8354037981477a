#include "coordinator/source_catalog.h"

#include "shared/base/utf8.h"
#include "shared/kafka/topic_offsets.h"
#include "shared/plan/source_partitions.h"
#include "shared/source/file_identity.h"

namespace tidemill {
namespace {

class RealSourceCatalog : public SourceCatalog {
 public:
  Status bind(proto::Source* source) override {
    if (source->has_files()) return bind_files_source(source);
    return source->has_kafka() ? bind_kafka_source(source) : Status{};
  }

  Status discover(proto::Source* source) override {
    return source->has_files() ? discover_files(source) : Status{};
  }
};

}  // namespace

std::shared_ptr<SourceCatalog> make_source_catalog() {
  return std::make_shared<RealSourceCatalog>();
}

std::vector<JobError> bind_sources(SourceCatalog* catalog, TimeUs not_after, proto::JobPlan* plan) {
  std::vector<JobError> errors;
  for (proto::Source& source : *plan->mutable_sources()) {
    if (!source.has_kafka() && source.not_after_us() == 0) source.set_not_after_us(not_after);
    if (auto bound = catalog->bind(&source); !bound) {
      const std::string& message = bound.error().message();
      errors.push_back({0, 0, "sources." + source.name(), printable(message, message.size())});
    }
  }
  if (errors.empty()) number_source_partitions(plan);
  return errors;
}

}  // namespace tidemill
