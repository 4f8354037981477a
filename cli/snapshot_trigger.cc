#include "cli/snapshot_trigger.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/polling.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

ExitCode finish(const SnapshotTriggerCommand& command, const GlobalOptions& global,
                const Reply& reply) {
  const std::string error = text_of(reply.json, "error");
  if (!error.empty()) return fail(ExitCode::kFailed, error);
  if (!command.name.empty() && text_of(reply.json, "savepoint") != command.name) {
    return fail(ExitCode::kFailed,
                "savepoint " + command.name + " was deleted before it was complete");
  }
  if (global.json) {
    std::puts(reply.body.c_str());
  } else if (command.name.empty()) {
    std::printf("every key partition of job %s has a new snapshot\n", command.job.c_str());
  } else {
    std::printf(
        "savepoint %s is complete; start a job from it with `tidemill job submit FILE "
        "--from-savepoint %s`\n",
        command.name.c_str(), command.name.c_str());
  }
  return ExitCode::kOk;
}

}  // namespace

ExitCode SnapshotTriggerCommand::run(const GlobalOptions& global) const {
  const std::string path = "/v1/jobs/" + percent_encode(job) + "/snapshots";
  const std::string body = name.empty() ? "" : json({{"name", name}}).dump();
  const Reply reply = post_coordinator(global, path, body);
  if (!reply.ok()) return fail(reply.exit, reply.message);
  const std::string id = std::to_string(number_of(reply.json, "id"));
  if (!wait) {
    if (global.json) {
      std::puts(reply.body.c_str());
    } else if (name.empty()) {
      std::printf("snapshots of job %s are being taken; see `tidemill snapshot list %s`\n",
                  job.c_str(), job.c_str());
    } else {
      std::printf("savepoint %s is being made; see `tidemill savepoint list`\n", name.c_str());
    }
    return ExitCode::kOk;
  }
  // The id of the job, as its name may become another job's.
  const std::string asked =
      "/v1/jobs/" + std::to_string(number_of(reply.json, "job")) + "/snapshots/" + id;
  const Reply done = poll_coordinator(global, asked, [](const json& answer) {
    return flag_of(answer, "complete") || !text_of(answer, "error").empty();
  });
  return done.ok() ? finish(*this, global, done) : fail(done.exit, done.message);
}

}  // namespace tidemill::cli
