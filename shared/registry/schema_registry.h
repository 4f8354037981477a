// SchemaRegistry: the schemas that records name by number, from a registry that speaks Confluent's
// REST API. https://docs.confluent.io/platform/current/schema-registry/develop/api.html
//
// A schema of an id never changes, so it is asked for once by the process. That a registry does not
// know an id may change: it is asked twice, a second apart, as its replicas may lag behind the
// producer, and the answer is believed for a minute.
//
// thread-safe, blocking: whoever asks for what is not known waits for the answer; everything has a
// timeout. One does at a time; others are told at once what is known already, as whoever waits
// holds a thread that other jobs may need. A registry that does not answer is asked again after
// pauses that double, and meanwhile every question is an error at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"

namespace tidemill {

// Ids that are new to the process, in one question; records may name any number of them.
inline constexpr size_t kMaxNewIds = 128;

struct RegisteredSchema {
  std::string type;  // "AVRO", "PROTOBUF", "JSON"
  std::string text;
  // Of the schemas that it refers to, directly or not, by the names that are used for them; each
  // after those that it refers to itself.
  std::vector<std::pair<std::string, std::string>> references;
  // Why nothing can be read by it: beyond the bounds of schema_limits.h, so it has no text here.
  std::string fault;
};

// How long to wait and how often to try.
struct RegistryPatience {
  int tries = 3;
  int64_t first_pause_ms = 100;  // doubled each time
  int64_t connect_ms = 3000;
  int64_t answer_ms = 10'000;
  int64_t rest_ms = 1000;  // after all tries failed; doubled up to the longest
  int64_t longest_rest_ms = 30'000;
  int64_t recheck_ms = 1000;  // before an unknown id is believed
  int64_t unknown_ms = 60'000;
};

class SchemaRegistry {
 public:
  // Null: the registry has none of that id.
  using Schema = std::shared_ptr<const RegisteredSchema>;

  virtual ~SchemaRegistry() = default;

  // The schemas of `ids`, in their order, up to the first that is not to be had with this question:
  // there are more than kMaxNewIds new ones, or another caller's question is under way. So there
  // may be fewer than `ids`, or none: then ask again. kRetryable: the first is not to be had now.
  virtual Result<std::vector<Schema>> schemas(std::span<const uint32_t> ids) = 0;

  // The process's one for these settings. kUser: an environment variable is not set.
  static Result<std::shared_ptr<SchemaRegistry>> get(const proto::SchemaRegistry& settings);
  // One of its own.
  static Result<std::shared_ptr<SchemaRegistry>> open(const proto::SchemaRegistry& settings,
                                                      const RegistryPatience& patience);
};

}  // namespace tidemill
