#include "cli/drain.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/polling.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

// What a draining worker has left, as the coordinator says; null: it does not drain.
json status_of(const json& rebalance, const std::string& node) {
  for (const json& drain : list_of(rebalance, "draining")) {
    if (text_of(drain, "node") == node) return drain;
  }
  return nullptr;
}

// A line for each change.
class Remaining {
 public:
  explicit Remaining(bool quiet) : quiet_(quiet) {}

  void show(const json& drain) {
    char line[160];
    std::snprintf(line, sizeof(line),
                  "%llu key partitions, %llu standbys and %llu source partitions are left",
                  static_cast<unsigned long long>(number_of(drain, "key_partitions")),
                  static_cast<unsigned long long>(number_of(drain, "standbys")),
                  static_cast<unsigned long long>(number_of(drain, "source_partitions")));
    if (!quiet_ && line != last_) std::fprintf(stderr, "%s\n", line);
    last_ = line;
  }

 private:
  bool quiet_;
  std::string last_;
};

ExitCode wait_until_drained(const GlobalOptions& global, const std::string& node) {
  Remaining remaining(global.json);
  const Reply reply = poll_coordinator(global, "/v1/rebalance", [&](const json& answer) {
    const json drain = status_of(answer, node);
    if (drain.is_null() || flag_of(drain, "finished")) return true;
    remaining.show(drain);
    return false;
  });
  if (!reply.ok()) return fail(reply.exit, reply.message);
  const json drain = status_of(reply.json, node);
  if (drain.is_null()) {
    return fail(ExitCode::kFailed, "worker " + node +
                                       " does not drain any more: it has died, or the drain was "
                                       "undone");
  }
  if (global.json) {
    std::puts(drain.dump().c_str());
  } else {
    std::printf("worker %s is drained: it can be stopped\n", node.c_str());
  }
  return ExitCode::kOk;
}

}  // namespace

ExitCode DrainCommand::run(const GlobalOptions& global) const {
  const std::string path = "/v1/workers/" + percent_encode(node) + "/drain";
  const Reply reply = undo ? delete_coordinator(global, path) : post_coordinator(global, path, "");
  if (!reply.ok()) return fail(reply.exit, reply.message);
  const std::string named = text_of(reply.json, "node");
  if (wait && !undo) return wait_until_drained(global, named);
  if (global.json) {
    std::puts(reply.body.c_str());
  } else if (undo) {
    std::printf("worker %s does not drain any more\n", named.c_str());
  } else {
    std::printf("worker %s is draining; `tidemill rebalance --status` follows it\n", named.c_str());
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
