#include "shared/registry/schema_registry.h"

#include <simdjson.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "shared/base/utf8.h"
#include "shared/kafka/client_settings.h"
#include "shared/registry/registry_http.h"
#include "shared/schema/schema_limits.h"

namespace tidemill {
namespace {

using simdjson::dom::element;
using Schema = SchemaRegistry::Schema;

constexpr int64_t kSchemaNotFound = 40403;  // "error_code" of an id that is not known
constexpr size_t kMaxUnknown = 100'000;
constexpr size_t kMaxRegistries = 64;  // that are kept for when they are asked for again

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void sleep_ms(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

bool is_worth_another_try(int status) { return status == 408 || status == 429 || status >= 500; }

// A schema as the registry tells it, and the schemas that it names.
struct Told {
  RegisteredSchema schema;
  struct Reference {
    std::string name;
    std::string subject;
    int64_t version = 0;
  };
  std::vector<Reference> references;
};

Result<Told> parse_told(const std::string& body) {
  const Error wrong = retryable_error("the answer is not that of a schema registry");
  simdjson::dom::parser parser;
  element root;
  std::string_view text;
  if (parser.parse(body).get(root) || root["schema"].get_string().get(text)) return wrong;
  Told told;
  told.schema.text = text;
  told.schema.type = "AVRO";
  if (!root["schemaType"].get_string().get(text)) told.schema.type = text;
  simdjson::dom::array references;
  if (root["references"].get_array().get(references)) return told;
  for (const element at : references) {
    std::string_view name;
    std::string_view subject;
    Told::Reference reference;
    if (at["name"].get_string().get(name) || at["subject"].get_string().get(subject) ||
        at["version"].get_int64().get(reference.version)) {
      return wrong;
    }
    reference.name = name;
    reference.subject = subject;
    told.references.push_back(std::move(reference));
  }
  return told;
}

// What a registry says of a request that it refuses: its "error_code" and "message".
struct Refusal {
  int64_t code = 0;
  std::string message;
};

Refusal parse_refusal(const std::string& body) {
  simdjson::dom::parser parser;
  element root;
  Refusal out;
  std::string_view text;
  if (parser.parse(body).get(root)) return out;
  if (root["error_code"].get_int64().get(out.code)) out.code = 0;
  if (!root["message"].get_string().get(text)) out.message = printable(text, 200);
  return out;
}

class Client : public SchemaRegistry {
 public:
  Client(RegistryLogin login, const RegistryPatience& patience)
      : login_(std::move(login)), patience_(patience), rest_ms_(patience.rest_ms) {}

  Result<std::vector<Schema>> schemas(std::span<const uint32_t> ids) override {
    const std::lock_guard lock(mutex_);
    std::vector<uint32_t> missing;
    for (const uint32_t id : ids) {
      if (known_.contains(id) || is_unknown(id)) continue;
      if (std::find(missing.begin(), missing.end(), id) == missing.end()) missing.push_back(id);
    }
    if (!missing.empty()) {
      if (Status fetched = fetch(missing); !fetched.ok()) {
        return fetched.error().within("the schema registry " + login_.url);
      }
    }
    std::vector<Schema> out;
    for (const uint32_t id : ids) {
      const auto found = known_.find(id);
      out.push_back(found == known_.end() ? nullptr : found->second);
    }
    return out;
  }

 private:
  bool is_unknown(uint32_t id) {
    const auto found = unknown_until_ms_.find(id);
    return found != unknown_until_ms_.end() && now_ms() < found->second;
  }

  Status fetch(const std::vector<uint32_t>& ids) {
    if (now_ms() < rest_until_ms_) return *failure_;
    auto unknown = fetch_known(ids);
    if (unknown.ok() && !unknown->empty()) {
      sleep_ms(patience_.recheck_ms);
      unknown = fetch_known(*unknown);
    }
    if (!unknown.ok()) {
      failure_ = unknown.error();
      rest_until_ms_ = now_ms() + rest_ms_;
      rest_ms_ = std::min(2 * rest_ms_, patience_.longest_rest_ms);
      return unknown.error();
    }
    rest_ms_ = patience_.rest_ms;
    if (unknown_until_ms_.size() + unknown->size() > kMaxUnknown) unknown_until_ms_.clear();
    for (const uint32_t id : *unknown) unknown_until_ms_[id] = now_ms() + patience_.unknown_ms;
    return {};
  }

  // Those that the registry does not know.
  Result<std::vector<uint32_t>> fetch_known(const std::vector<uint32_t>& ids) {
    std::vector<uint32_t> unknown;
    for (const uint32_t id : ids) {
      auto body = ask("/schemas/ids/" + std::to_string(id), true);
      if (!body.ok()) return body.error();
      if (!body->has_value()) {
        unknown.push_back(id);
        continue;
      }
      auto told = parse_told(**body);
      if (!told.ok()) return told.error();
      std::set<std::pair<std::string, int64_t>> seen;
      if (Status got = add_references(*told, &seen, &told->schema, 0); !got.ok()) {
        return got.error().within("schema " + std::to_string(id));
      }
      known_[id] = std::make_shared<const RegisteredSchema>(std::move(told->schema));
    }
    return unknown;
  }

  Status add_references(const Told& of, std::set<std::pair<std::string, int64_t>>* seen,
                        RegisteredSchema* out, size_t depth) {
    for (const Told::Reference& reference : of.references) {
      if (!seen->emplace(reference.subject, reference.version).second) continue;
      if (seen->size() > kMaxSchemaReferences || depth > kMaxSchemaReferences) {
        return user_error("it refers to more than " + std::to_string(kMaxSchemaReferences) +
                          " schemas");
      }
      const auto body = ask("/subjects/" + path_segment(reference.subject) + "/versions/" +
                                std::to_string(reference.version) + "?deleted=true",
                            false);
      if (!body.ok()) return body.error();
      const auto told = parse_told(**body);
      if (!told.ok()) return told.error();
      if (Status got = add_references(*told, seen, out, depth + 1); !got.ok()) return got;
      out->references.emplace_back(reference.name, told->schema.text);
    }
    return {};
  }

  // The body of a good answer; nothing if the registry says that there is no such schema and that
  // may be.
  Result<std::optional<std::string>> ask(const std::string& path, bool may_be_unknown) {
    std::string failure;
    for (int i = 0; i < patience_.tries; ++i) {
      if (i > 0) sleep_ms(patience_.first_pause_ms << (i - 1));
      auto answer = registry_get(login_, path, patience_.connect_ms, patience_.answer_ms);
      if (!answer.ok()) {
        if (answer.error().code() == ErrorCode::kUser) return answer.error();
        failure = answer.error().message();
        continue;
      }
      if (answer->status == 200) return std::optional(std::move(answer->body));
      const Refusal refusal = parse_refusal(answer->body);
      if (may_be_unknown && answer->status == 404 && refusal.code == kSchemaNotFound) {
        return std::optional<std::string>();
      }
      failure = "GET " + path + " has status " + std::to_string(answer->status) +
                (refusal.message.empty() ? "" : ", " + refusal.message);
      if (answer->status == 401 || answer->status == 403) {
        failure += "; 'user' or 'password' under 'registry' is wrong, or may not read schemas";
      } else if (answer->status == 404) {
        failure += "; is 'url' under 'registry' that of a schema registry?";
      }
      if (!is_worth_another_try(answer->status)) break;
    }
    return retryable_error(failure);
  }

  const RegistryLogin login_;
  const RegistryPatience patience_;
  std::mutex mutex_;  // one question at a time: those who wait mostly wait for its answer
  std::map<uint32_t, Schema> known_;
  std::map<uint32_t, int64_t> unknown_until_ms_;
  int64_t rest_until_ms_ = 0;
  int64_t rest_ms_;
  std::optional<Error> failure_;
};

Result<std::string> expanded(const std::string& value, const char* what) {
  auto out = expand_variables(value, [](const char* name) -> const char* {
    return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes it
  });
  if (!out.ok()) return out.error().within(std::string("'") + what + "' under 'registry'");
  return out;
}

class Registries {
 public:
  Result<std::shared_ptr<SchemaRegistry>> get(const proto::SchemaRegistry& settings) {
    const std::string key = settings.SerializeAsString();
    const std::lock_guard lock(mutex_);
    if (const auto found = open_.find(key); found != open_.end()) return found->second;
    auto opened = SchemaRegistry::open(settings, {});
    if (!opened.ok()) return opened;
    if (open_.size() >= kMaxRegistries) {
      std::erase_if(open_, [](const auto& each) { return each.second.use_count() == 1; });
    }
    open_[key] = *opened;
    return opened;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<SchemaRegistry>> open_;
};

}  // namespace

Result<std::shared_ptr<SchemaRegistry>> SchemaRegistry::open(const proto::SchemaRegistry& settings,
                                                             const RegistryPatience& patience) {
  const auto user = expanded(settings.user(), "user");
  if (!user.ok()) return user.error();
  const auto password = expanded(settings.password(), "password");
  if (!password.ok()) return password.error();
  std::string url = settings.url();
  while (url.ends_with('/')) url.pop_back();
  return std::shared_ptr<SchemaRegistry>(
      std::make_shared<Client>(RegistryLogin{url, *user, *password}, patience));
}

Result<std::shared_ptr<SchemaRegistry>> SchemaRegistry::get(const proto::SchemaRegistry& settings) {
  static Registries registries;
  return registries.get(settings);
}

}  // namespace tidemill
