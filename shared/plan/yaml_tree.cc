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

// What would be right where yaml-cpp says what is wrong. Without one: a general advice.
struct Advice {
  std::string_view said;  // part of its message
  std::string_view advice;
};
constexpr Advice kAdvice[] = {
    {"end of sequence flow", "close the list with ']'"},
    {"end of map flow", "close the mapping with '}'"},
    {"end of sequence", "indent all items of a list alike, each behind '- '"},
    {"end of map", "indent all keys of a mapping alike, and write nothing behind a closing quote"},
    {"illegal map value", "write a value that holds ': ' in quotes"},
    {"illegal map key", "write a key that begins with '?' in quotes"},
    {"illegal block entry", "begin the list on a line of its own, below its key"},
    {"illegal flow end", "write as many brackets that open as close"},
    {"illegal tab", "indent with spaces"},
    {"unknown escape", "write '\\\\' for a backslash, or use single quotes"},
    {"invalid unicode", "write '\\\\' for a backslash, or use single quotes"},
    {"illegal EOF in scalar", "close the quotes"},
    {"unknown token", "write a value that begins with one of @ ` % in quotes"},
    {"illegal document indicator", "close the quotes before '---'"},
};

std::string advice_for(const std::string& said, std::string_view line) {
  const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
  if (indent.find('\t') != std::string_view::npos) return "indent with spaces, not with tabs";
  for (const Advice& each : kAdvice) {
    if (said.find(each.said) != std::string::npos) return std::string(each.advice);
  }
  return "look at indentation, brackets and quotes there and on the line before";
}

constexpr char kNoAliases[] = "aliases (*name) are not allowed; write the value out";

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
    throw Refused{place_of(mark), kNoAliases};
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

  // The path of what was read last.
  std::string where() const {
    const std::string path = path_to(nullptr);
    return path.empty() ? kWholeDocument : path;
  }

 private:
  // A collection whose end has not come. In a map, `key` waits for its value.
  struct Open {
    YamlNode node;
    std::optional<YamlEntry> key;
    std::map<std::string, int> lines;  // of the keys so far
  };

  static Place checked(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const Place place = place_of(mark);
    if (anchor != 0)
      throw Refused{place,
                    "anchors (&name) are not allowed; write the value out wherever it is needed"};
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{place, "tags such as " + tag + " are not allowed; leave it out"};
    }
    return place;
  }

  void open(YamlNode::Kind kind, Place place) {
    if (open_.size() >= limits::kYamlDepth) {
      throw Refused{place, "the document is nested more than " +
                               std::to_string(limits::kYamlDepth) + " deep, the most allowed"};
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
      if (!node.is_scalar())
        throw Refused{node.place, "a key must be a plain name, not a list or a mapping"};
      parent.key = YamlEntry{node.scalar, node.place, {}};
    } else {
      finish_entry(&parent, std::move(node));
    }
  }

  // The path of a key of the innermost open mapping; null: of what is read now.
  std::string path_to(const std::string* key) const {
    std::string out;
    for (const Open& each : open_) {
      if (each.node.is_sequence()) out += "[" + std::to_string(each.node.items.size()) + "]";
      const std::string* next = each.key.has_value() ? &each.key->key : nullptr;
      if (&each == &open_.back() && key != nullptr) next = key;
      if (each.node.is_map() && next != nullptr) out += (out.empty() ? "" : ".") + *next;
    }
    return out;
  }

  void finish_entry(Open* parent, YamlNode value) {
    YamlEntry entry = *std::move(parent->key);
    parent->key.reset();
    const auto [first, is_new] = parent->lines.emplace(entry.key, entry.place.line);
    if (!is_new) {
      errors_->add(entry.place, path_to(&entry.key),
                   "the key '" + entry.key + "' is already there, on line " +
                       std::to_string(first->second) + "; keep one of them");
      return;
    }
    entry.value = std::move(value);
    parent->node.entries.push_back(std::move(entry));
  }

  YamlNode* root_;
  ErrorList* errors_;
  std::vector<Open> open_;
};

// A line by its number from 0; empty if there is none.
std::string_view line_of(std::string_view text, int number) {
  for (; number > 0 && !text.empty(); --number) {
    text.remove_prefix(std::min(text.size(), text.find('\n')));
    text.remove_prefix(std::min<size_t>(text.size(), 1));
  }
  return text.substr(0, text.find('\n'));
}

// The first line that is no text; 0 if all are.
int first_bad_line(std::string_view text) {
  if (is_valid_utf8(text) && text.find('\0') == std::string_view::npos) return 0;
  for (int line = 1;; ++line) {
    const std::string_view bytes = text.substr(0, text.find('\n'));
    if (!is_valid_utf8(bytes) || bytes.find('\0') != std::string_view::npos) return line;
    text.remove_prefix(bytes.size() + 1);
  }
}

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
    errors->add({1, 1}, kWholeDocument,
                "the job has " + std::to_string(text.size()) + " bytes; at most " +
                    std::to_string(limits::kYamlBytes) + " are allowed");
    return false;
  }
  if (const int line = first_bad_line(text); line > 0) {
    errors->add({line, 1}, kWholeDocument, "the line is not UTF-8 text; save the job as UTF-8");
    return false;
  }
  std::istringstream in{std::string(text)};
  TreeBuilder builder(root, errors);
  try {
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) {
      errors->add({1, 1}, kWholeDocument, "the job is empty; write job:, sources: and views:");
      return false;
    }
    YamlNode ignored;
    TreeBuilder second(&ignored, errors);
    if (parser.HandleNextDocument(second)) {
      errors->add(ignored.place, kWholeDocument,
                  "a second document begins here; a job is one document: write it in a file of "
                  "its own");
      return false;
    }
  } catch (const Refused& refused) {
    errors->add(refused.place, builder.where(), refused.message);
    return false;
  } catch (const YAML::Exception& e) {
    const bool alias = e.msg == YAML::ErrorMsg::UNKNOWN_ANCHOR;
    errors->add(place_of(e.mark), builder.where(),
                alias ? kNoAliases
                      : "this is not YAML: " + e.msg + "; " +
                            advice_for(e.msg, line_of(text, e.mark.line)));
    return false;
  }
  return true;
}

const YamlNode* find_node(const YamlNode& root, std::string_view path) {
  const YamlNode* at = &root;
  while (at != nullptr && !path.empty()) {
    const std::string_view key = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), key.size() + 1));
    const auto found = std::find_if(at->entries.begin(), at->entries.end(),
                                    [&](const YamlEntry& e) { return e.key == key; });
    at = found == at->entries.end() ? nullptr : &found->value;
  }
  return at;
}

}  // namespace tidemill
