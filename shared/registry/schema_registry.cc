#include "shared/registry/schema_registry.h"

#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "shared/base/utf8.h"
#include "shared/kafka/client_settings.h"
#include "shared/net/query_string.h"
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

std::string too_large() { return "it has more than " + std::to_string(kMaxSchemaBytes) + " bytes"; }

std::string too_many_references() {
  return "it refers to more than " + std::to_string(kMaxSchemaReferences) + " schemas";
}

Told faulty(std::string fault) {
  Told out;
  out.schema.fault = std::move(fault);
  return out;
}

Result<Told> parse_told(const RegistryAnswer& answer) {
  if (answer.cut) return faulty(too_large());
  const Error wrong = retryable_error("the answer is not that of a schema registry");
  simdjson::dom::parser parser;
  element root;
  std::string_view text;
  if (parser.parse(answer.body).get(root) || root["schema"].get_string().get(text)) return wrong;
  if (text.size() > kMaxSchemaBytes) return faulty(too_large());
  Told told;
  told.schema.text = text;
  told.schema.type = "AVRO";
  if (!root["schemaType"].get_string().get(text)) told.schema.type = text;
  simdjson::dom::array references;
  if (root["references"].get_array().get(references)) return told;
  if (references.size() > kMaxSchemaReferences) return faulty(too_many_references());
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
      : patience_(patience),
        connection_(std::move(login), patience.connect_ms, patience.answer_ms),
        rest_ms_(patience.rest_ms) {}

  Result<std::vector<Schema>> schemas(std::span<const uint32_t> ids) override {
    std::unique_lock lock(mutex_);
    Answers answers;
    const std::vector<uint32_t> missing = new_ids(ids);
    if (!missing.empty() && !asking_ && now_ms() >= rest_until_ms_) {
      asking_ = true;
      lock.unlock();
      const Status asked = ask_for(missing, &answers);
      lock.lock();
      asking_ = false;
      note_end(asked);
    }
    std::vector<Schema> out = known_first(ids, answers);
    if (out.empty() && !missing.empty() && failure_) {
      return failure_->within("the schema registry " + connection_.login().url);
    }
    return out;
  }

 private:
  using Answers = std::map<uint32_t, Schema>;
  // A schema, and what was needed for it so far.
  struct Gathered {
    RegisteredSchema schema;
    std::set<std::pair<std::string, int64_t>> seen;
    size_t bytes = 0;  // of the references' texts
  };

  bool is_unknown(uint32_t id) const {
    const auto found = unknown_until_ms_.find(id);
    return found != unknown_until_ms_.end() && now_ms() < found->second;
  }

  // The first of those that are not known, each once.
  std::vector<uint32_t> new_ids(std::span<const uint32_t> ids) const {
    std::vector<uint32_t> out;
    for (const uint32_t id : ids) {
      if (known_.contains(id) || is_unknown(id)) continue;
      if (std::find(out.begin(), out.end(), id) != out.end()) continue;
      if (out.size() == kMaxNewIds) break;
      out.push_back(id);
    }
    return out;
  }

  // Of the ids up to the first that neither `answers` nor earlier ones tell of.
  std::vector<Schema> known_first(std::span<const uint32_t> ids, const Answers& answers) const {
    std::vector<Schema> out;
    for (const uint32_t id : ids) {
      const auto answer = answers.find(id);
      const auto known = known_.find(id);
      if (known != known_.end()) {
        out.push_back(known->second);
      } else if (answer != answers.end() || is_unknown(id)) {
        out.push_back(nullptr);
      } else {
        break;
      }
    }
    return out;
  }

  // Whatever becomes of the rest of the question, and for whoever else asks.
  void note(uint32_t id, const Schema& schema, Answers* answers) {
    const std::lock_guard lock(mutex_);
    (*answers)[id] = schema;
    if (schema != nullptr) {
      known_[id] = schema;
      return;
    }
    if (unknown_until_ms_.size() >= kMaxUnknown) unknown_until_ms_.clear();
    unknown_until_ms_[id] = now_ms() + patience_.unknown_ms;
  }

  void note_end(const Status& asked) {
    if (asked.ok()) {
      failure_.reset();
      rest_ms_ = patience_.rest_ms;
      return;
    }
    failure_ = asked.error();
    rest_until_ms_ = now_ms() + rest_ms_;
    rest_ms_ = std::min(2 * rest_ms_, patience_.longest_rest_ms);
  }

  // Of the ids up to the first that fails.
  Status ask_for(const std::vector<uint32_t>& ids, Answers* answers) {
    std::vector<uint32_t> unknown;
    Status failed;
    for (size_t i = 0; i < ids.size() && failed.ok(); ++i) {
      const auto schema = fetch(ids[i]);
      if (!schema.ok()) {
        failed = schema.error();
      } else if (*schema == nullptr) {
        unknown.push_back(ids[i]);
      } else {
        note(ids[i], *schema, answers);
      }
    }
    if (!unknown.empty()) sleep_ms(patience_.recheck_ms);
    for (const uint32_t id : unknown) {
      const auto schema = fetch(id);
      if (!schema.ok()) return schema.error();
      note(id, *schema, answers);
    }
    return failed;
  }

  // Null: the registry does not know it.
  Result<Schema> fetch(uint32_t id) {
    const auto answer = ask("/schemas/ids/" + std::to_string(id), true);
    if (!answer.ok()) return answer.error();
    if (!answer->has_value()) return Schema();
    auto told = parse_told(**answer);
    if (!told.ok()) return told.error();
    Gathered gathered;
    gathered.schema = std::move(told->schema);
    if (Status got = add_references(told->references, &gathered, 0); !got.ok()) {
      return got.error().within("schema " + std::to_string(id));
    }
    RegisteredSchema& schema = gathered.schema;
    if (!schema.fault.empty()) schema = {schema.type, {}, {}, schema.fault};
    return std::make_shared<const RegisteredSchema>(std::move(schema));
  }

  // Ends at the first that cannot be: that is a fault of the schema.
  Status add_references(const std::vector<Told::Reference>& references, Gathered* to,
                        size_t depth) {
    for (const Told::Reference& reference : references) {
      if (!to->schema.fault.empty()) return {};
      if (!to->seen.emplace(reference.subject, reference.version).second) continue;
      if (to->seen.size() > kMaxSchemaReferences || depth > kMaxSchemaReferences) {
        to->schema.fault = too_many_references();
        return {};
      }
      const auto answer = ask("/subjects/" + percent_encode(reference.subject) + "/versions/" +
                                  std::to_string(reference.version) + "?deleted=true",
                              false);
      if (!answer.ok()) return answer.error();
      auto told = parse_told(**answer);
      if (!told.ok()) return told.error();
      if (Status got = add_references(told->references, to, depth + 1); !got.ok()) return got;
      add_text(reference, std::move(told->schema), to);
    }
    return {};
  }

  static void add_text(const Told::Reference& reference, RegisteredSchema schema, Gathered* to) {
    if (!to->schema.fault.empty()) return;
    to->bytes += schema.text.size();
    if (!schema.fault.empty()) {
      to->schema.fault = printable("it refers to '" + reference.name + "': " + schema.fault, 300);
    } else if (to->bytes > kMaxReferencedBytes) {
      to->schema.fault =
          "it refers to more than " + std::to_string(kMaxReferencedBytes) + " bytes of schemas";
    }
    to->schema.references.emplace_back(reference.name, std::move(schema.text));
  }

  // A good answer; nothing if the registry says that there is no such schema and that may be.
  Result<std::optional<RegistryAnswer>> ask(const std::string& path, bool may_be_unknown) {
    std::string failure;
    for (int i = 0; i < patience_.tries; ++i) {
      if (i > 0) sleep_ms(patience_.first_pause_ms << (i - 1));
      auto answer = connection_.get(path);
      if (!answer.ok()) {
        if (answer.error().code() == ErrorCode::kUser) return answer.error();
        failure = answer.error().message();
        continue;
      }
      if (answer->status == 200) return std::optional(std::move(*answer));
      const Refusal refusal = parse_refusal(answer->body);
      if (may_be_unknown && answer->status == 404 && refusal.code == kSchemaNotFound) {
        return std::optional<RegistryAnswer>();
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

  const RegistryPatience patience_;
  RegistryConnection connection_;  // whoever asks has it
  std::mutex mutex_;               // never held while the registry is asked
  bool asking_ = false;            // somebody does
  std::map<uint32_t, Schema> known_;
  std::map<uint32_t, int64_t> unknown_until_ms_;
  int64_t rest_until_ms_ = 0;
  int64_t rest_ms_;
  std::optional<Error> failure_;  // of the last question
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
