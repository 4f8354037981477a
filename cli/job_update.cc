#include "cli/job_update.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/job_file.h"
#include "cli/table.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

void print_differences(const json& answer) {
  const json& differences = list_of(answer, "differences");
  if (differences.empty()) return;
  Table table({"WHAT", "CHANGE", "EFFECT", "WHY"});
  for (const json& difference : differences) {
    table.add({text_of(difference, "path"), text_of(difference, "change"),
               text_of(difference, "effect"), text_of(difference, "reason")});
  }
  std::fputs(table.render().c_str(), stdout);
}

std::string outcome(const json& answer, bool plan) {
  const std::string name = text_of(answer, "name");
  const uint64_t refused = number_of(answer, "refused");
  if (refused > 0) {
    return std::to_string(refused) + (refused == 1 ? " difference is" : " differences are") +
           " refused; job " + name + " goes on as it was";
  }
  if (list_of(answer, "differences").empty()) return "job " + name + " is just that already";
  if (plan) return "nothing was changed; without --plan all of this is made at once";
  return "job " + name + " is at revision " + std::to_string(number_of(answer, "revision"));
}

// The name that the file gives its job.
ExitCode name_in(const std::string& file, std::string* name) {
  CompiledJob job;
  if (const ExitCode read = read_job_file(file, &job); read != ExitCode::kOk) return read;
  *name = job.plan.job();  // what else is wrong the coordinator says
  return name->empty() ? refuse_job(file, job) : ExitCode::kOk;
}

}  // namespace

ExitCode JobUpdateCommand::run(const GlobalOptions& global) const {
  JobText text;
  if (const ExitCode read = read_job_text(file, &text); read != ExitCode::kOk) return read;
  std::string name = job;
  if (name.empty()) {
    if (const ExitCode named = name_in(file, &name); named != ExitCode::kOk) return named;
  }
  const std::string path = "/v1/jobs/" + percent_encode(name) +
                           "/update?base_dir=" + percent_encode(text.base_dir) +
                           (plan ? "&plan=true" : "");
  const Reply reply = post_coordinator(global, path, text.yaml);
  if (global.json && !reply.body.empty()) std::puts(reply.body.c_str());
  const bool answered = reply.json.is_object() && reply.json.contains("differences");
  if (!answered) return refuse_job(file, reply);
  const bool refused = number_of(reply.json, "refused") > 0;
  if (!global.json) print_differences(reply.json);
  if (refused) return fail(ExitCode::kUsage, outcome(reply.json, plan));
  if (!global.json) std::printf("%s\n", outcome(reply.json, plan).c_str());
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
