#include "cli/savepoints.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/table.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

std::string count_of(const json& object, const char* name) {
  return with_separators(number_of(object, name));
}

std::string path_of(const std::string& name) { return "/v1/savepoints/" + percent_encode(name); }

}  // namespace

ExitCode SavepointListCommand::run(const GlobalOptions& global) const {
  const Reply reply = get_coordinator(global, "/v1/savepoints");
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
    return ExitCode::kOk;
  }
  Table table({"NAME", "STATE", "JOB", "JOB ID", "MADE AT", "KEY PARTITIONS", "ROWS", "BYTES"});
  for (const size_t column : {3, 5, 6, 7}) table.align_right(column);
  for (const json& each : list_of(reply.json, "savepoints")) {
    const bool complete = text_of(each, "state") == "COMPLETE";
    const auto known = [&](const char* name) { return complete ? count_of(each, name) : ""; };
    table.add({text_of(each, "name"), text_of(each, "state"), text_of(each, "job_name"),
               count_of(each, "job"), text_of(each, "made_at"), known("key_partitions"),
               known("rows"), known("total_bytes")});
  }
  std::fputs(table.render().c_str(), stdout);
  return ExitCode::kOk;
}

ExitCode SavepointShowCommand::run(const GlobalOptions& global) const {
  const Reply reply = get_coordinator(global, path_of(name));
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
    return ExitCode::kOk;
  }
  std::printf("savepoint %s of job %s (id %s): %s, made at %s; %s rows in %s bytes\n",
              text_of(reply.json, "name").c_str(), text_of(reply.json, "job_name").c_str(),
              count_of(reply.json, "job").c_str(), text_of(reply.json, "state").c_str(),
              text_of(reply.json, "made_at").c_str(), count_of(reply.json, "rows").c_str(),
              count_of(reply.json, "total_bytes").c_str());
  Table snapshots({"KEY PARTITION", "EPOCH", "VERSION", "ROWS", "BYTES", "TAKEN AT", "MANIFEST"});
  for (const size_t column : {0, 1, 2, 3, 4}) snapshots.align_right(column);
  for (const json& each : list_of(reply.json, "snapshots")) {
    snapshots.add({count_of(each, "key_partition"), count_of(each, "epoch"),
                   count_of(each, "version"), count_of(each, "rows"), count_of(each, "total_bytes"),
                   text_of(each, "taken_at"), text_of(each, "manifest")});
  }
  Table needed({"SOURCE PARTITION", "SOURCE", "NEEDED FROM OFFSET"});
  needed.align_right(0);
  needed.align_right(2);
  for (const json& each : list_of(reply.json, "needed_offsets")) {
    needed.add({count_of(each, "partition"), text_of(each, "source"), count_of(each, "offset")});
  }
  std::printf("\n%s\n%s", snapshots.render().c_str(), needed.render().c_str());
  return ExitCode::kOk;
}

ExitCode SavepointDeleteCommand::run(const GlobalOptions& global) const {
  const Reply reply = delete_coordinator(global, path_of(name));
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
  } else {
    std::printf("savepoint %s is deleted; what only it needed is being removed\n", name.c_str());
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
