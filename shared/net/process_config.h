// ProcessConfig: the options of a process, from the command line and a config file. Each option
// has a name, a help text, a default (the value it is bound to), and numbers a unit and bounds.
//
//   int64_t lease_ms = 3000;
//   ProcessConfig config("tidemill-coordinator", "Assigns partitions to workers.");
//   config.number("lease-ms", &lease_ms, {"a member is dead after", "ms", 100, 600'000});
//   auto outcome = config.parse(argc, argv);   // --lease-ms 5000, or lease-ms: 5000 in --config F
//
// The config file is a YAML mapping from long option names to values; the command line goes before
// it. Nothing is assigned unless everything is right: an unknown or repeated key, or a value out of
// bounds, is an error with its line. --config, --help and --version are there always.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

class ProcessConfig {
 public:
  struct Number {
    std::string help;
    std::string unit;  // "ms", "bytes"; empty for counts
    int64_t least = 0;
    int64_t most = 0;
  };
  enum class Presence { kOptional, kRequired };
  enum class Outcome { kRun, kExit };  // kExit: help or the version was printed, exit with 0

  ProcessConfig(std::string program, std::string description);

  // `value` holds the default and outlives parse.
  void text(const std::string& name, std::string* value, const std::string& help,
            Presence presence = Presence::kOptional);
  void number(const std::string& name, int64_t* value, Number spec);
  void flag(const std::string& name, bool* value, const std::string& help);

  // kUser: what is wrong, where, and what would be right.
  Result<Outcome> parse(int argc, const char* const* argv);

  // Long names in the order they were added, without --config, --help and --version.
  std::vector<std::string> names() const;

 private:
  struct Option {
    std::string name;
    std::string help;
    std::variant<std::string*, int64_t*, bool*> value;
    Number number;
    bool required = false;
  };
  struct Given {
    std::string text;
    std::string where;  // "--lease-ms", "coordinator.yaml:3"
  };
  using GivenValues = std::map<std::string, Given>;

  const Option* find(const std::string& name) const;
  Result<Outcome> read_command_line(int argc, const char* const* argv, GivenValues* given,
                                    std::string* config_file) const;
  Status read_file(const std::string& path, GivenValues* given) const;
  Status assign(const GivenValues& given);

  std::string program_;
  std::string description_;
  std::vector<Option> options_;
};

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// "127.0.0.1:7180" or "[::1]:7180".
Result<HostPort> parse_host_port(const std::string& text);

}  // namespace tidemill
