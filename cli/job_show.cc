#include "cli/job_show.h"

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

void print_sources(const json& job) {
  Table table({"PARTITION", "SOURCE", "INPUT", "NODE", "EPOCH", "RECORDS", "BAD", "READ", "APPLIED",
               "PUBLISHED", "MAX EVENT TIME", "STATE"});
  for (const size_t column : {0, 4, 5, 6, 7, 8, 9}) table.align_right(column);
  for (const json& source : list_of(job, "sources")) {
    const std::string error = text_of(source, "error");
    table.add({count_of(source, "partition"), text_of(source, "source"), text_of(source, "input"),
               text_of(source, "node"), count_of(source, "epoch"), count_of(source, "records"),
               count_of(source, "bad_records"), count_of(source, "offset"),
               count_of(source, "applied"), count_of(source, "published"),
               text_of(source, "max_event_time"),
               !error.empty()                ? error
               : flag_of(source, "finished") ? "finished"
                                             : "reading"});
  }
  std::printf("\n%s", table.render().c_str());
}

void print_totals(const json& job) {
  const json none = json::object();
  const json& partitions = job.contains("key_partitions") ? job["key_partitions"] : none;
  Table table({"FIGURE", "VALUE"});
  table.align_right(1);
  table.add({"key partitions", count_of(partitions, "total")});
  table.add({"key partitions owned by workers", count_of(partitions, "owned")});
  table.add({"key partitions ready in the store", count_of(partitions, "store_ready")});
  for (const auto& [name, label] : {std::pair{"rows", "rows held"},
                                    {"keys", "keys held"},
                                    {"state_bytes", "bytes of state"},
                                    {"rows_applied", "rows applied"},
                                    {"too_late_rows", "rows that came too late"},
                                    {"full_chunks", "full chunks"},
                                    {"recut_chunks", "chunks cut anew"},
                                    {"freed_rows", "rows freed"},
                                    {"images_sent", "key images sent"},
                                    {"session_gaps", "session gaps"}}) {
    table.add({label, count_of(job, name)});
  }
  std::printf("\n%s", table.render().c_str());
}

}  // namespace

ExitCode JobShowCommand::run(const GlobalOptions& global) const {
  const Reply reply = get_coordinator(global, "/v1/jobs/" + percent_encode(job));
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
    return ExitCode::kOk;
  }
  std::printf("job %s (id %s): %s, submitted at %s; horizon %s\n",
              text_of(reply.json, "name").c_str(), count_of(reply.json, "id").c_str(),
              text_of(reply.json, "state").c_str(), text_of(reply.json, "submitted_at").c_str(),
              text_of(reply.json, "horizon").c_str());
  print_sources(reply.json);
  print_totals(reply.json);
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
