// Typed reading of one YAML mapping with known keys. Every fault becomes an error with its place;
// reading goes on with the default, so that all errors of a job are found at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/time.h"
#include "shared/plan/yaml_tree.h"

namespace tidemill {

class YamlFields {
 public:
  // `node` must outlive this. Unknown keys are errors at once. A node that is no mapping is an
  // error, and reads as an empty one. `later` are keys that a later version will know.
  YamlFields(const YamlNode& node, std::string path, std::vector<std::string> keys,
             ErrorList* errors, const std::vector<std::string>& later = {});

  bool is_map() const { return is_map_; }
  Place place() const { return node_.place; }
  const std::string& path() const { return path_; }
  std::string path_of(std::string_view key) const;

  // The value of a key; null if it is not there.
  const YamlNode* find(std::string_view key) const;
  // Also an error if it is not there.
  const YamlNode* require(std::string_view key, std::string_view what);

  std::optional<std::string> text(std::string_view key);
  DurationUs duration(std::string_view key, DurationUs otherwise);
  uint64_t integer(std::string_view key, uint64_t otherwise, uint64_t low, uint64_t high);
  double number(std::string_view key, double otherwise, double low, double high);
  // One of `allowed`; the index. An error and `otherwise` for anything else.
  size_t choice(std::string_view key, const std::vector<std::string>& allowed, size_t otherwise);
  TimeUs timestamp(std::string_view key, TimeUs otherwise);
  bool boolean(std::string_view key, bool otherwise);  // true or false

  void error(const YamlNode& at, std::string_view key, std::string message);
  // Of the mapping as a whole.
  void error(std::string message);

 private:
  const YamlNode* scalar(std::string_view key);

  const YamlNode& node_;
  const std::string path_;
  const std::vector<std::string> keys_;
  ErrorList* errors_;
  const bool is_map_;
};

// "entity[2]" if `item` is the third of the list `node`, "entity" if it is `node` itself.
std::string item_key(const YamlNode& node, const YamlNode& item, const std::string& key);

// A scalar or a list of scalars as texts with their nodes; an error for anything else.
std::vector<const YamlNode*> scalars_of(const YamlNode& node, const std::string& path,
                                        ErrorList* errors);

}  // namespace tidemill
