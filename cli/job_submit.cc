#include "cli/job_submit.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/job_file.h"
#include "cli/job_wait.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {

ExitCode JobSubmitCommand::run(const GlobalOptions& global) const {
  JobText text;
  if (const ExitCode read = read_job_text(file, &text); read != ExitCode::kOk) return read;
  std::string path = "/v1/jobs?base_dir=" + percent_encode(text.base_dir);
  if (!from_savepoint.empty()) path += "&from_savepoint=" + percent_encode(from_savepoint);
  const Reply reply = post_coordinator(global, path, text.yaml);
  if (!reply.ok()) {
    if (global.json && !reply.body.empty()) std::puts(reply.body.c_str());
    return refuse_job(file, reply);
  }
  const std::string name = text_of(reply.json, "name");
  if (!wait) {
    if (global.json) {
      std::puts(reply.body.c_str());
    } else {
      std::printf("job %s was submitted as %llu; see `tidemill job show %s`\n", name.c_str(),
                  static_cast<unsigned long long>(number_of(reply.json, "id")), name.c_str());
    }
    return ExitCode::kOk;
  }
  return wait_for_job(global, std::to_string(number_of(reply.json, "id")));
}

}  // namespace tidemill::cli
