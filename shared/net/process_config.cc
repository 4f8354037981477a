#include "shared/net/process_config.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace tidemill {
namespace {

constexpr std::streamsize kMaxFileBytes = 1 << 20;
constexpr char kVersion[] = "0.1.0";

struct FileEntry {
  std::string key;
  std::string value;
  int line = 0;
};

// Takes one flat mapping of scalars and remembers the first thing that is not that.
class FlatMapping : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (depth_ > 0) scalar(mark, "", anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "an alias is not possible here");
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                const std::string& value) override {
    scalar(mark, value, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    fail(mark, "a list is not possible here; an option has one value");
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    if (++depth_ > 1) fail(mark, "a mapping is not possible here; an option has one value");
  }
  void OnMapEnd() override { --depth_; }

  std::vector<FileEntry> entries;
  std::optional<FileEntry> error;  // line and message (as value)

 private:
  void fail(const YAML::Mark& mark, const std::string& message) {
    if (!error) error = FileEntry{{}, message, mark.line + 1};
  }
  void scalar(const YAML::Mark& mark, const std::string& value, YAML::anchor_t anchor) {
    if (anchor != 0) return fail(mark, "an anchor is not possible here");
    if (depth_ == 0) return fail(mark, "the file must be a mapping: 'option-name: value' lines");
    if (!key_) {
      key_ = FileEntry{value, {}, mark.line + 1};
      return;
    }
    key_->value = value;
    entries.push_back(*std::exchange(key_, std::nullopt));
  }

  int depth_ = 0;
  std::optional<FileEntry> key_;
};

Result<std::string> read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return user_error("cannot read the config file '" + path + "'");
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), kMaxFileBytes + 1);
  if (in.gcount() > kMaxFileBytes) return user_error(path + ": a config file has at most 1 MiB");
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

}  // namespace

ProcessConfig::ProcessConfig(std::string program, std::string description)
    : program_(std::move(program)), description_(std::move(description)) {}

void ProcessConfig::text(const std::string& name, std::string* value, const std::string& help,
                         Presence presence) {
  options_.push_back({name, help, value, {}, presence == Presence::kRequired});
}

void ProcessConfig::number(const std::string& name, int64_t* value, Number spec) {
  ASSERT(spec.least <= *value && *value <= spec.most);
  options_.push_back({name, spec.help, value, spec, false});
}

void ProcessConfig::flag(const std::string& name, bool* value, const std::string& help) {
  options_.push_back({name, help, value, {}, false});
}

std::vector<std::string> ProcessConfig::names() const {
  std::vector<std::string> out;
  for (const auto& option : options_) out.push_back(option.name);
  return out;
}

const ProcessConfig::Option* ProcessConfig::find(const std::string& name) const {
  for (const auto& option : options_) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

Result<ProcessConfig::Outcome> ProcessConfig::read_command_line(int argc, const char* const* argv,
                                                                GivenValues* given,
                                                                std::string* config_file) const {
  CLI::App app(description_, program_);
  app.set_version_flag("--version", program_ + " " + kVersion);
  app.add_option("--config", *config_file, "YAML file of options; the command line goes before it")
      ->type_name("FILE");
  std::map<std::string, std::string> texts;
  for (const auto& option : options_) {
    std::string help = option.help;
    std::string type = "TEXT";
    std::string value;
    if (const auto* number = std::get_if<int64_t*>(&option.value)) {
      type = option.number.unit.empty() ? "N" : option.number.unit;
      value = std::to_string(**number);
      help +=
          "; " + std::to_string(option.number.least) + " to " + std::to_string(option.number.most);
    } else if (const auto* flag = std::get_if<bool*>(&option.value)) {
      type = "true|false";
      value = **flag ? "true" : "false";
    } else {
      value = *std::get<std::string*>(option.value);
    }
    if (option.required) help += " (required)";
    auto* added = app.add_option("--" + option.name, texts[option.name], help)->type_name(type);
    if (!value.empty()) added->default_str(value);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    app.exit(success);
    return Outcome::kExit;
  } catch (const CLI::ParseError& error) {
    return user_error(std::string(error.what()) + "; " + program_ + " --help lists the options");
  }
  for (const auto& option : options_) {
    if (app.count("--" + option.name) > 0) {
      (*given)[option.name] = {texts[option.name], "--" + option.name};
    }
  }
  return Outcome::kRun;
}

Status ProcessConfig::read_file(const std::string& path, GivenValues* given) const {
  auto text = read_whole(path);
  if (!text) return text.error();
  std::istringstream stream(*text);
  FlatMapping mapping;
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(mapping);
    if (parser.HandleNextDocument(mapping)) {
      return user_error(path + ": a config file is one YAML document");
    }
  } catch (const YAML::Exception& error) {
    return user_error(path + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  if (mapping.error) {
    return user_error(path + ":" + std::to_string(mapping.error->line) + ": " +
                      mapping.error->value);
  }
  std::map<std::string, int> seen;
  for (const auto& entry : mapping.entries) {
    const std::string where = path + ":" + std::to_string(entry.line);
    if (find(entry.key) == nullptr) {
      return user_error(where + ": unknown option '" + entry.key + "'; " + program_ +
                        " --help lists the options");
    }
    if (const auto [it, fresh] = seen.emplace(entry.key, entry.line); !fresh) {
      return user_error(where + ": '" + entry.key + "' is on line " + std::to_string(it->second) +
                        " already");
    }
    given->emplace(entry.key, Given{entry.value, where});
  }
  return {};
}

Status ProcessConfig::assign(const GivenValues& given) {
  std::vector<std::pair<const Option*, std::variant<std::string, int64_t, bool>>> staged;
  for (const auto& option : options_) {
    const auto it = given.find(option.name);
    if (it == given.end()) {
      if (!option.required) continue;
      return user_error("--" + option.name + " is required: " + option.help);
    }
    const auto& [text, where] = it->second;
    if (std::holds_alternative<std::string*>(option.value)) {
      if (option.required && text.empty()) return user_error(where + ": must not be empty");
      staged.emplace_back(&option, text);
    } else if (std::holds_alternative<bool*>(option.value)) {
      if (text != "true" && text != "false") {
        return user_error(where + ": must be true or false, not '" + text + "'");
      }
      staged.emplace_back(&option, text == "true");
    } else {
      int64_t value = 0;
      const char* end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data(), end, value);
      if (parsed.ec != std::errc{} || parsed.ptr != end || value < option.number.least ||
          value > option.number.most) {
        const std::string unit = option.number.unit.empty() ? "" : " of " + option.number.unit;
        return user_error(where + ": " + option.name + " must be a whole number" + unit + " from " +
                          std::to_string(option.number.least) + " to " +
                          std::to_string(option.number.most) + ", not '" + text + "'");
      }
      staged.emplace_back(&option, value);
    }
  }
  for (auto& entry : staged) {
    auto& value = entry.second;
    std::visit(
        [&value](auto* target) {
          *target = std::get<std::remove_pointer_t<decltype(target)>>(std::move(value));
        },
        entry.first->value);
  }
  return {};
}

Result<ProcessConfig::Outcome> ProcessConfig::parse(int argc, const char* const* argv) {
  GivenValues given;
  std::string config_file;
  auto outcome = read_command_line(argc, argv, &given, &config_file);
  if (!outcome || *outcome == Outcome::kExit) return outcome;
  if (!config_file.empty()) {
    if (auto status = read_file(config_file, &given); !status) return status.error();
  }
  if (auto status = assign(given); !status) return status.error();
  return Outcome::kRun;
}

Result<HostPort> parse_host_port(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon != std::string::npos && colon > 0) {
    HostPort out;
    out.host = text.substr(0, colon);
    if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
      out.host = out.host.substr(1, out.host.size() - 2);
    }
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, out.port);
    if (parsed.ec == std::errc{} && parsed.ptr == end) return out;
  }
  return user_error("'" + text + "' is not address:port, such as 127.0.0.1:7180");
}

}  // namespace tidemill
