#include "cli/job_file.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tidemill::cli {

ExitCode read_job_text(const std::string& file, JobText* text) {
  std::ifstream in(file);
  std::stringstream yaml;
  if (!in || !(yaml << in.rdbuf())) {
    return fail(ExitCode::kUsage, "cannot read " + file + ": name a job file");
  }
  std::error_code ec;
  text->base_dir = std::filesystem::absolute(file, ec).parent_path().string();
  text->yaml = yaml.str();
  return ExitCode::kOk;
}

ExitCode read_job_file(const std::string& file, CompiledJob* job) {
  JobText text;
  if (const ExitCode read = read_job_text(file, &text); read != ExitCode::kOk) return read;
  *job = compile_job(text.yaml, text.base_dir);
  return ExitCode::kOk;
}

ExitCode refuse_job(const std::string& file, const CompiledJob& job) {
  for (const JobError& error : job.errors) {
    std::fprintf(stderr, "%s\n", to_string(error, file).c_str());
  }
  return fail(ExitCode::kUsage, file + " has " + std::to_string(job.errors.size()) +
                                    (job.errors.size() == 1 ? " error" : " errors"));
}

ExitCode refuse_job(const std::string& file, const Reply& reply) {
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

}  // namespace tidemill::cli
