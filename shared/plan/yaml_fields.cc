#include "shared/plan/yaml_fields.h"

#include <algorithm>
#include <charconv>

#include "shared/expr/scalars.h"
#include "shared/expr/suggest.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

std::string number_text(double value) {
  TextBuffer buffer;
  return std::string(double_to_text(value, &buffer));
}

}  // namespace

YamlFields::YamlFields(const YamlNode& node, std::string path, std::vector<std::string> keys,
                       ErrorList* errors, const std::vector<std::string>& later)
    : node_(node),
      path_(std::move(path)),
      keys_(std::move(keys)),
      errors_(errors),
      is_map_(node.is_map()) {
  if (!is_map_) {
    errors_->add(node.place, path_.empty() ? kWholeDocument : path_,
                 "expected a mapping with the keys " + join_names(keys_, "and") + ", found " +
                     node.describe());
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    if (std::find(keys_.begin(), keys_.end(), entry.key) != keys_.end()) continue;
    if (std::find(later.begin(), later.end(), entry.key) != later.end()) {
      errors_->add(entry.place, path_of(entry.key),
                   "'" + entry.key + "' is not in this version; " + known_names(keys_));
      continue;
    }
    errors_->add(entry.place, path_of(entry.key),
                 "unknown key '" + entry.key + "'" + suggestion(entry.key, keys_));
  }
}

std::string YamlFields::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const YamlNode* YamlFields::find(std::string_view key) const {
  for (const YamlEntry& entry : node_.entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

const YamlNode* YamlFields::require(std::string_view key, std::string_view what) {
  const YamlNode* found = find(key);
  if (found == nullptr && is_map_) {
    errors_->add(node_.place, path_.empty() ? std::string(key) : path_,
                 "the key '" + std::string(key) + "' is missing: " + std::string(what));
  }
  return found;
}

void YamlFields::error(const YamlNode& at, std::string_view key, std::string message) {
  errors_->add(at.place, path_of(key), message);
}

void YamlFields::error(std::string message) { errors_->add(node_.place, path_, message); }

const YamlNode* YamlFields::scalar(std::string_view key) {
  const YamlNode* found = find(key);
  if (found == nullptr || found->is_scalar()) return found;
  error(*found, key, "expected a single value, found " + found->describe());
  return nullptr;
}

std::optional<std::string> YamlFields::text(std::string_view key) {
  const YamlNode* found = scalar(key);
  if (found == nullptr) return std::nullopt;
  return found->scalar;
}

DurationUs YamlFields::duration(std::string_view key, DurationUs otherwise) {
  const YamlNode* found = scalar(key);
  if (found == nullptr) return otherwise;
  const Result<DurationUs> value = parse_duration(found->scalar);
  if (!value.ok()) {
    error(*found, key, value.error().message());
    return otherwise;
  }
  if (*value > limits::kLongestTime) {
    error(*found, key,
          "'" + found->scalar + "' is too long; at most " + format_duration(limits::kLongestTime) +
              " is allowed");
    return otherwise;
  }
  return *value;
}

uint64_t YamlFields::integer(std::string_view key, uint64_t otherwise, uint64_t low,
                             uint64_t high) {
  const YamlNode* found = scalar(key);
  if (found == nullptr) return otherwise;
  const std::string& s = found->scalar;
  uint64_t value = 0;
  const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (ec == std::errc() && end == s.data() + s.size() && value >= low && value <= high) {
    return value;
  }
  error(*found, key,
        "expected a whole number from " + std::to_string(low) + " to " + std::to_string(high) +
            ", found " + found->describe());
  return otherwise;
}

double YamlFields::number(std::string_view key, double otherwise, double low, double high) {
  const YamlNode* found = scalar(key);
  if (found == nullptr) return otherwise;
  double value = 0;
  if (text_to_double(found->scalar, &value) && value >= low && value <= high) return value;
  error(*found, key,
        "expected a number from " + number_text(low) + " to " + number_text(high) + ", found " +
            found->describe());
  return otherwise;
}

size_t YamlFields::choice(std::string_view key, const std::vector<std::string>& allowed,
                          size_t otherwise) {
  const YamlNode* found = scalar(key);
  if (found == nullptr) return otherwise;
  for (size_t i = 0; i < allowed.size(); ++i) {
    if (allowed[i] == found->scalar) return i;
  }
  error(*found, key, "expected " + join_names(allowed, "or") + ", found " + found->describe());
  return otherwise;
}

TimeUs YamlFields::timestamp(std::string_view key, TimeUs otherwise) {
  const YamlNode* found = scalar(key);
  if (found == nullptr) return otherwise;
  TimeUs value = 0;
  if (text_to_timestamp(found->scalar, &value)) return value;
  error(*found, key,
        "expected a time such as 2018-04-01T00:00:00Z or a date, found " + found->describe());
  return otherwise;
}

bool YamlFields::boolean(std::string_view key, bool otherwise) {
  const YamlNode* found = scalar(key);
  if (found == nullptr) return otherwise;
  if (found->scalar == "true" || found->scalar == "false") return found->scalar == "true";
  error(*found, key, "expected true or false, found " + found->describe());
  return otherwise;
}

std::string item_key(const YamlNode& node, const YamlNode& item, const std::string& key) {
  if (&node == &item) return key;
  return key + "[" + std::to_string(&item - node.items.data()) + "]";
}

std::vector<const YamlNode*> scalars_of(const YamlNode& node, const std::string& path,
                                        ErrorList* errors) {
  if (node.is_scalar()) return {&node};
  std::vector<const YamlNode*> out;
  if (!node.is_sequence()) {
    errors->add(node.place, path, "expected a list, found " + node.describe());
    return out;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const YamlNode& item = node.items[i];
    if (item.is_scalar()) {
      out.push_back(&item);
    } else {
      errors->add(item.place, path + "[" + std::to_string(i) + "]",
                  "expected a single value, found " + item.describe());
    }
  }
  return out;
}

}  // namespace tidemill
