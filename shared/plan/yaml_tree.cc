#include "shared/plan/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

#include "shared/expr/parse_tree.h"
#include "shared/expr/suggest.h"
#include "shared/plan/limits.h"

namespace tidemill {
namespace {

Place place_of(const YAML::Mark& mark) {
  return mark.is_null() ? Place{1, 1} : Place{mark.line + 1, mark.column + 1};
}

// Thrown through yaml-cpp's parser to stop it; caught below.
struct Refused {
  Place place;
  std::string message;
};

// Builds the tree from the parser's events. Aliases never get resolved.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(YamlNode* root, ErrorList* errors) : root_(root), errors_(errors) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.place = checked(mark, "", anchor);
    add(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{place_of(mark), "aliases (*name) are not allowed; write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.place = checked(mark, tag, anchor);
    const bool plain = tag == "?";
    const bool null = plain && (value == "~" || value == "null" || value.empty());
    node.kind = null ? YamlNode::Kind::kNull : YamlNode::Kind::kScalar;
    node.scalar = value;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kSequence, checked(mark, tag, anchor));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::kMap, checked(mark, tag, anchor));
  }
  void OnMapEnd() override { close(); }

 private:
  // A collection whose end has not come. In a map, `key` waits for its value.
  struct Open {
    YamlNode node;
    std::optional<YamlEntry> key;
    std::map<std::string, int> lines;  // of the keys so far
  };

  static Place checked(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const Place place = place_of(mark);
    if (anchor != 0) throw Refused{place, "anchors (&name) are not allowed"};
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{place, "tags such as " + tag + " are not allowed"};
    }
    return place;
  }

  void open(YamlNode::Kind kind, Place place) {
    if (open_.size() >= limits::kYamlDepth) {
      throw Refused{place, "the document is nested more than " +
                               std::to_string(limits::kYamlDepth) + " deep"};
    }
    Open next;
    next.node.kind = kind;
    next.node.place = place;
    open_.push_back(std::move(next));
  }

  void close() {
    YamlNode done = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(done));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      *root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.is_sequence()) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key.has_value()) {
      if (!node.is_scalar()) throw Refused{node.place, "a key must be a plain name"};
      parent.key = YamlEntry{node.scalar, node.place, {}};
    } else {
      finish_entry(&parent, std::move(node));
    }
  }

  // The path of a key of the innermost open mapping.
  std::string path_to(const std::string& key) const {
    std::string out;
    for (const Open& each : open_) {
      if (each.node.is_sequence()) out += "[" + std::to_string(each.node.items.size()) + "]";
      const std::string* next = each.key.has_value() ? &each.key->key : nullptr;
      if (&each == &open_.back()) next = &key;
      if (each.node.is_map() && next != nullptr) out += (out.empty() ? "" : ".") + *next;
    }
    return out;
  }

  void finish_entry(Open* parent, YamlNode value) {
    YamlEntry entry = *std::move(parent->key);
    parent->key.reset();
    const auto [first, is_new] = parent->lines.emplace(entry.key, entry.place.line);
    if (!is_new) {
      errors_->add(
          entry.place, path_to(entry.key),
          "the key '" + entry.key + "' is already there, on line " + std::to_string(first->second));
      return;
    }
    entry.value = std::move(value);
    parent->node.entries.push_back(std::move(entry));
  }

  YamlNode* root_;
  ErrorList* errors_;
  std::vector<Open> open_;
};

}  // namespace

std::string YamlNode::describe() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "'" + clipped(scalar, 60) + "'";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      break;
  }
  return "a mapping";
}

bool parse_yaml(std::string_view text, YamlNode* root, ErrorList* errors) {
  if (text.size() > limits::kYamlBytes) {
    errors->add({}, "",
                "the job has " + std::to_string(text.size()) + " bytes; at most " +
                    std::to_string(limits::kYamlBytes) + " are allowed");
    return false;
  }
  if (!is_valid_utf8(text) || text.find('\0') != std::string_view::npos) {
    errors->add({}, "", "the job is not UTF-8 text");
    return false;
  }
  std::istringstream in{std::string(text)};
  try {
    YAML::Parser parser(in);
    TreeBuilder builder(root, errors);
    if (!parser.HandleNextDocument(builder)) {
      errors->add({1, 1}, "", "the job is empty");
      return false;
    }
    YamlNode ignored;
    TreeBuilder second(&ignored, errors);
    if (parser.HandleNextDocument(second)) {
      errors->add(ignored.place, "", "a second document begins here; a job is one document");
      return false;
    }
  } catch (const Refused& refused) {
    errors->add(refused.place, "", refused.message);
    return false;
  } catch (const YAML::Exception& e) {
    errors->add(place_of(e.mark), "", "this is not YAML: " + e.msg);
    return false;
  }
  return true;
}

}  // namespace tidemill
