#include "cli/snapshot_verify.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/polling.h"
#include "cli/table.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

void print_check(const json& check) {
  for (const json& each : list_of(check, "problems")) {
    std::printf("key partition %s, %s: %s\n",
                with_separators(number_of(each, "key_partition")).c_str(),
                text_of(each, "manifest").c_str(), text_of(each, "problem").c_str());
  }
  std::printf(
      "%s snapshots of %s were verified: %s damaged\n",
      with_separators(number_of(check, "verified") - number_of(check, "superseded")).c_str(),
      text_of(check, "what").c_str(), with_separators(number_of(check, "damaged")).c_str());
}

}  // namespace

ExitCode SnapshotVerifyCommand::run(const GlobalOptions& global) const {
  std::string path = "/v1/savepoints/" + percent_encode(savepoint) + "/checks";
  if (savepoint.empty()) {
    path = "/v1/jobs/" + percent_encode(job) + "/snapshot-checks";
    if (key_partition) path += "?key_partition=" + std::to_string(*key_partition);
  }
  const Reply started = post_coordinator(global, path, "");
  if (!started.ok()) return fail(started.exit, started.message);
  const Reply reply = poll_coordinator(
      global, "/v1/snapshot-checks/" + std::to_string(number_of(started.json, "id")),
      [](const json& check) { return flag_of(check, "done"); });
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
  } else {
    print_check(reply.json);
  }
  return number_of(reply.json, "damaged") == 0 ? ExitCode::kOk : ExitCode::kFailed;
}

}  // namespace tidemill::cli
