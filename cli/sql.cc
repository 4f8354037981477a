#include "cli/sql.h"

#include <cstdio>

#include "cli/job_file.h"
#include "cli/sql/point_in_time_sql.h"
#include "shared/plan/source_partitions.h"

namespace tidemill::cli {
namespace {

Result<std::string> print(proto::JobPlan plan, const SqlCommand& command) {
  number_source_partitions(&plan);
  auto compiled = Plan::from_proto(std::move(plan));
  if (!compiled) return compiled.error();
  const auto choice = training::choose_features(std::move(compiled).value(), command.service);
  if (!choice) return choice.error();
  const auto dialect = sql::dialect_by_name(command.dialect);
  if (!dialect) return user_error("--dialect is postgres, duckdb or spark");
  return sql::point_in_time_sql(*choice, {command.spine, command.time_column}, *dialect);
}

}  // namespace

ExitCode SqlCommand::run(const GlobalOptions& global) const {
  CompiledJob compiled;
  if (const ExitCode read = read_job_file(job, &compiled); read != ExitCode::kOk) return read;
  if (!compiled.errors.empty()) return refuse_job(job, compiled);
  const auto statement = print(std::move(compiled.plan), *this);
  if (!statement) return fail(ExitCode::kUsage, statement.error().message());
  std::fputs(statement->c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
