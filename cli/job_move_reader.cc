#include "cli/job_move_reader.h"

#include <cstdio>

#include "cli/api.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {

ExitCode JobMoveReaderCommand::run(const GlobalOptions& global) const {
  nlohmann::json body = nlohmann::json::object();
  if (!to.empty()) body["to"] = to;
  const Reply reply = post_coordinator(global,
                                       "/v1/jobs/" + percent_encode(job) + "/source-partitions/" +
                                           std::to_string(source_partition) + "/move",
                                       body.dump());
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
  } else {
    std::printf("source partition %u of job %s is read by %s from now on\n", source_partition,
                job.c_str(), text_of(reply.json, "node").c_str());
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
