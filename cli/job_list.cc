#include "cli/job_list.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/table.h"

namespace tidemill::cli {

ExitCode JobListCommand::run(const GlobalOptions& global) const {
  const Reply reply = get_coordinator(global, "/v1/jobs");
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
    return ExitCode::kOk;
  }
  Table table({"ID", "NAME", "STATE", "SUBMITTED AT", "ERROR"});
  table.align_right(0);
  for (const nlohmann::json& job : list_of(reply.json, "jobs")) {
    table.add({std::to_string(number_of(job, "id")), text_of(job, "name"), text_of(job, "state"),
               text_of(job, "submitted_at"), text_of(job, "error")});
  }
  std::fputs(table.render().c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
