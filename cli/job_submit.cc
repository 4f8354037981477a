#include "cli/job_submit.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/api.h"
#include "cli/job_wait.h"
#include "shared/net/query_string.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::cli {
namespace {

// A refused job: every error as "job.yaml:12:7: path: message".
ExitCode print_refusal(const std::string& file, const Reply& reply) {
  const nlohmann::json error = reply.json.is_object()
                                   ? reply.json.value("error", nlohmann::json::object())
                                   : nlohmann::json::object();
  const auto& errors = list_of(error, "errors");
  for (const nlohmann::json& entry : errors) {
    JobError one;
    one.line = static_cast<int>(number_of(entry, "line"));
    one.column = static_cast<int>(number_of(entry, "column"));
    one.path = text_of(entry, "path");
    one.message = text_of(entry, "message");
    std::fprintf(stderr, "%s\n", to_string(one, file).c_str());
  }
  return errors.empty()
             ? fail(reply.exit, reply.message)
             : fail(ExitCode::kUsage, file + " was refused: " + std::to_string(errors.size()) +
                                          (errors.size() == 1 ? " error" : " errors"));
}

}  // namespace

ExitCode JobSubmitCommand::run(const GlobalOptions& global) const {
  std::ifstream in(file);
  std::stringstream yaml;
  if (!in || !(yaml << in.rdbuf())) {
    return fail(ExitCode::kUsage, "cannot read " + file + ": name a job file");
  }
  std::error_code ec;
  const std::string base_dir = std::filesystem::absolute(file, ec).parent_path().string();
  std::string path = "/v1/jobs?base_dir=" + percent_encode(base_dir);
  if (!from_savepoint.empty()) path += "&from_savepoint=" + percent_encode(from_savepoint);
  const Reply reply = post_coordinator(global, path, yaml.str());
  if (!reply.ok()) {
    if (global.json && !reply.body.empty()) std::puts(reply.body.c_str());
    return print_refusal(file, reply);
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
