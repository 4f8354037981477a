#include "cli/snapshot_show.h"

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

void print_files(const json& snapshot) {
  Table table({"FILE", "KIND", "EPOCH", "FROM VERSION", "TO VERSION", "KEYS", "ROWS", "BYTES"});
  for (const size_t column : {2, 3, 4, 5, 6, 7}) table.align_right(column);
  for (const json& file : list_of(snapshot, "files")) {
    table.add({text_of(file, "object"), flag_of(file, "base") ? "base" : "increment",
               count_of(file, "epoch"), count_of(file, "from_version"),
               count_of(file, "to_version"), count_of(file, "keys"), count_of(file, "rows"),
               count_of(file, "bytes")});
  }
  std::printf("\n%s", table.render().c_str());
}

void print_head(const json& head) {
  Table table({"SOURCE PARTITION", "OFFSET", "FINISHED", "MAX EVENT TIME"});
  table.align_right(0);
  table.align_right(1);
  uint64_t partition = 0;
  for (const json& position : list_of(head, "offsets")) {
    table.add({std::to_string(partition++), count_of(position, "offset"),
               flag_of(position, "finished") ? "yes" : "no", text_of(position, "max_event_time")});
  }
  std::printf("\n%s\nhorizon %s; %s rows applied, %s too late; made under the epochs",
              table.render().c_str(), text_of(head, "horizon").c_str(),
              count_of(head, "rows_applied").c_str(), count_of(head, "too_late_rows").c_str());
  const char* before = " ";
  for (const json& ancestor : list_of(head, "ancestry")) {
    std::printf("%s%s (up to version %s)", before, count_of(ancestor, "epoch").c_str(),
                count_of(ancestor, "last_version").c_str());
    before = ", ";
  }
  std::printf("\n");
}

void print_snapshot(const json& snapshot) {
  std::printf(
      "%s\n  epoch %s, version %s, taken at %s: %s rows in %s bytes, of which %s were new\n",
      text_of(snapshot, "manifest").c_str(), count_of(snapshot, "epoch").c_str(),
      count_of(snapshot, "version").c_str(), text_of(snapshot, "taken_at").c_str(),
      count_of(snapshot, "rows").c_str(), count_of(snapshot, "total_bytes").c_str(),
      count_of(snapshot, "new_bytes").c_str());
  if (!snapshot.contains("head")) return;
  print_files(snapshot);
  print_head(snapshot["head"]);
}

}  // namespace

ExitCode SnapshotShowCommand::run(const GlobalOptions& global) const {
  const std::string k = "/key-partitions/" + std::to_string(key_partition);
  const Reply reply = get_coordinator(
      global, savepoint.empty() ? "/v1/jobs/" + percent_encode(job) + k + "/snapshots"
                                : "/v1/savepoints/" + percent_encode(savepoint) + k);
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) std::puts(reply.body.c_str());
  ExitCode exit = ExitCode::kOk;
  bool first = true;
  for (const json& snapshot : list_of(reply.json, "snapshots")) {
    if (!global.json) {
      if (!first) std::printf("\n");
      print_snapshot(snapshot);
      first = false;
    }
    const std::string problem = text_of(snapshot, "problem");
    if (!problem.empty()) exit = fail(ExitCode::kFailed, problem);
  }
  if (list_of(reply.json, "snapshots").empty()) {
    return fail(ExitCode::kFailed,
                "there is no snapshot of key partition " + std::to_string(key_partition) + " yet");
  }
  return exit;
}

}  // namespace tidemill::cli
