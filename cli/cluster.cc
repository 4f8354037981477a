#include "cli/cluster.h"

#include <cstdio>

#include "cli/api.h"
#include "cli/table.h"

namespace tidemill::cli {

ExitCode ClusterCommand::run(const GlobalOptions& global) const {
  const Reply reply = get_coordinator(global, "/v1/cluster");
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
    return ExitCode::kOk;
  }
  Table table({"NODE", "ROLE", "STATE", "PID", "ENDPOINT", "HTTP", "SHARDS", "KEY PARTITIONS",
               "STANDBYS", "SOURCE PARTITIONS", "HEARTBEAT"});
  for (const size_t column : {3, 6, 7, 8, 9, 10}) table.align_right(column);
  for (const nlohmann::json& member : list_of(reply.json, "members")) {
    table.add({text_of(member, "node"), text_of(member, "role"), text_of(member, "state"),
               std::to_string(number_of(member, "pid")), text_of(member, "endpoint"),
               text_of(member, "http"), std::to_string(number_of(member, "shards")),
               std::to_string(number_of(member, "key_partitions")),
               std::to_string(number_of(member, "standbys")),
               std::to_string(number_of(member, "source_partitions")),
               std::to_string(number_of(member, "last_heartbeat_ms")) + " ms ago"});
  }
  std::fputs(table.render().c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
