#include "cli/snapshot_list.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/table.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

std::string seconds_of(const json& object, const char* name) {
  if (!object.contains(name) || !object[name].is_number()) return "";
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", static_cast<double>(number_of(object, name)) / 1000);
  return text;
}

void print_partitions(const json& answer) {
  Table table({"KEY PARTITION", "TAKEN AT", "AGE", "EPOCH", "VERSION", "ROWS", "BYTES", "NEW BYTES",
               "RETAINED"});
  for (const size_t column : {0, 2, 3, 4, 5, 6, 7, 8}) table.align_right(column);
  for (const json& each : list_of(answer, "key_partitions")) {
    const uint64_t retained = number_of(each, "retained");
    const auto count = [&](const char* name) {
      return retained == 0 ? "" : with_separators(number_of(each, name));
    };
    table.add({with_separators(number_of(each, "key_partition")), text_of(each, "taken_at"),
               seconds_of(each, "age_ms"), count("epoch"), count("version"), count("rows"),
               count("total_bytes"), count("new_bytes"), with_separators(retained)});
  }
  std::fputs(table.render().c_str(), stdout);
}

void print_totals(const json& totals) {
  std::printf(
      "\n%s key partitions, %s without a snapshot; %s snapshots retained; %s rows in %s "
      "bytes\n",
      with_separators(number_of(totals, "key_partitions")).c_str(),
      with_separators(number_of(totals, "key_partitions_without")).c_str(),
      with_separators(number_of(totals, "retained")).c_str(),
      with_separators(number_of(totals, "rows")).c_str(),
      with_separators(number_of(totals, "total_bytes")).c_str());
  const std::string oldest = seconds_of(totals, "oldest_age_ms");
  if (!oldest.empty()) std::printf("the least fresh one is %s old\n", oldest.c_str());
}

}  // namespace

ExitCode SnapshotListCommand::run(const GlobalOptions& global) const {
  const Reply reply = get_coordinator(global, "/v1/jobs/" + percent_encode(job) + "/snapshots");
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
    return ExitCode::kOk;
  }
  print_partitions(reply.json);
  print_totals(reply.json.value("totals", json::object()));
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
