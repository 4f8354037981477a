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

// A number, or nothing where it is not known.
std::string known_of(const json& object, const char* name) {
  return object.contains(name) && object[name].is_number() ? count_of(object, name) : "";
}

std::string state_of(const json& source) {
  if (text_of(source, "node").empty()) return "not read";
  const std::string error = text_of(source, "error");
  if (!error.empty()) return error;
  if (flag_of(source, "finished")) return "finished";
  return flag_of(source, "idle") ? "idle" : "reading";
}

void print_sources(const json& job) {
  Table table({"PARTITION", "SOURCE", "INPUT", "NODE", "EPOCH", "RECORDS", "BAD", "READ", "LOG END",
               "LAG", "APPLIED", "PUBLISHED", "MAX EVENT TIME", "STATE"});
  for (const size_t column : {0, 4, 5, 6, 7, 8, 9, 10, 11}) table.align_right(column);
  for (const json& source : list_of(job, "sources")) {
    table.add({count_of(source, "partition"), text_of(source, "source"), text_of(source, "input"),
               text_of(source, "node"), count_of(source, "epoch"), count_of(source, "records"),
               count_of(source, "bad_records"), count_of(source, "offset"),
               known_of(source, "log_end_offset"), known_of(source, "lag"),
               count_of(source, "applied"), count_of(source, "published"),
               text_of(source, "max_event_time"), state_of(source)});
  }
  std::printf("\n%s", table.render().c_str());
}

// What is not in the features; nothing if everything is.
void print_left_out(const json& job) {
  Table table({"LEFT OUT", "SOURCE OR VIEW", "RECORDS OR ROWS"});
  table.align_right(2);
  bool any = false;
  const auto add = [&](const std::string& why, const std::string& where, uint64_t count) {
    if (count == 0) return;
    table.add({why, where, with_separators(count)});
    any = true;
  };
  for (const json& letters : list_of(job, "dead_letters")) {
    const std::string view = text_of(letters, "view");
    add("dead letters: " + text_of(letters, "reason"),
        text_of(letters, "source") + (view.empty() ? "" : " in view " + view),
        number_of(letters, "records"));
  }
  for (const json& view : list_of(job, "views")) {
    add("too late", text_of(view, "name"), number_of(view, "too_late_rows"));
  }
  add("rows without a key", "", number_of(job, "null_keys"));
  add("records without a value", "", number_of(job, "tombstones"));
  if (any) std::printf("\n%s", table.render().c_str());
}

// Features that are not complete yet, after the job was updated; nothing if all are.
void print_filling(const json& job) {
  Table table({"FILLS", "COMPLETE FROM"});
  bool any = false;
  for (const json& view : list_of(job, "views")) {
    for (const json& feature : list_of(view, "filling")) {
      table.add({text_of(view, "name") + "." + text_of(feature, "feature"),
                 text_of(feature, "complete_since")});
      any = true;
    }
  }
  if (any) std::printf("\n%s", table.render().c_str());
}

void add_snapshots(const json& job, Table* table) {
  const json none = json::object();
  const json& standbys = job.contains("standbys") ? job["standbys"] : none;
  if (number_of(standbys, "total") > 0) {
    table->add({"standbys", count_of(standbys, "total")});
    table->add({"standbys that have caught up", count_of(standbys, "caught_up")});
  }
  const json& snapshots = job.contains("snapshots") ? job["snapshots"] : none;
  table->add({"key partitions without a snapshot", count_of(snapshots, "key_partitions_without")});
  table->add({"age of the least fresh snapshot, ms", known_of(snapshots, "oldest_age_ms")});
  table->add({"bytes of snapshots", count_of(snapshots, "total_bytes")});
  table->add({"snapshots that failed", count_of(snapshots, "failures")});
  table->add({"snapshots that did not verify", count_of(snapshots, "refused")});
}

void print_totals(const json& job) {
  const json none = json::object();
  const json& partitions = job.contains("key_partitions") ? job["key_partitions"] : none;
  Table table({"FIGURE", "VALUE"});
  table.align_right(1);
  table.add({"key partitions", count_of(partitions, "total")});
  table.add({"key partitions owned by workers", count_of(partitions, "owned")});
  table.add({"key partitions ready in the store", count_of(partitions, "store_ready")});
  table.add({"key partitions being restored", count_of(job, "restoring")});
  add_snapshots(job, &table);
  for (const auto& [name, label] : {std::pair{"rows", "rows held"},
                                    {"keys", "keys held"},
                                    {"state_bytes", "bytes of state"},
                                    {"rows_applied", "rows applied"},
                                    {"too_late_rows", "rows that came too late"},
                                    {"full_chunks", "full chunks"},
                                    {"recut_chunks", "chunks cut anew"},
                                    {"freed_rows", "rows freed"},
                                    {"image_bytes_sent", "bytes of key images sent"},
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
  for (const char* what : {"error", "discovery_error"}) {
    const std::string error = text_of(reply.json, what);
    if (!error.empty()) std::printf("%s\n", error.c_str());
  }
  print_sources(reply.json);
  print_left_out(reply.json);
  print_filling(reply.json);
  print_totals(reply.json);
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
