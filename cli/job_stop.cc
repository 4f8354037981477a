#include "cli/job_stop.h"

#include <cstdio>

#include "cli/api.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {

ExitCode JobStopCommand::run(const GlobalOptions& global) const {
  const Reply reply = post_coordinator(global, "/v1/jobs/" + percent_encode(job) + "/stop", "");
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
  } else {
    std::printf("job %s is being stopped\n", job.c_str());
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
