// A YAML document as a tree with the place of everything in it: yaml-cpp behind one function.
// Plain YAML only: no anchors, aliases or tags, no key twice, one document, bounded size and depth.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/plan/job_errors.h"

namespace tidemill {

struct YamlEntry;

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  Place place;
  std::string scalar;  // as written, without its quotes
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;  // in their order in the text

  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_sequence() const { return kind == Kind::kSequence; }
  bool is_map() const { return kind == Kind::kMap; }
  // "a list", "a mapping", ...: for errors.
  std::string describe() const;
};

struct YamlEntry {
  std::string key;
  Place place;  // of the key
  YamlNode value;
};

// False, with an error, if `text` is no such document. A key that is there twice is an error, but
// the tree, with the first of them, is still worth reading.
bool parse_yaml(std::string_view text, YamlNode* root, ErrorList* errors);

// What is at a path of keys, such as "sources.tx.stream"; null if there is nothing.
const YamlNode* find_node(const YamlNode& root, std::string_view path);

}  // namespace tidemill
