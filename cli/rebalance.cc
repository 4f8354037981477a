#include "cli/rebalance.h"

#include <cmath>
#include <cstdio>

#include "cli/api.h"
#include "cli/table.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

// "3 -> 5", or "3" if nothing changes.
std::string before_after(const json& worker, const char* name) {
  const json& both = worker.at(name);
  const uint64_t before = number_of(both, "before");
  const uint64_t after = number_of(both, "after");
  if (before == after) return std::to_string(before);
  return std::to_string(before) + " -> " + std::to_string(after);
}

std::string percent(const json& both, const char* when) {
  const auto it = both.find(when);
  const double share = it != both.end() && it->is_number() ? it->get<double>() : 0;
  return std::to_string(static_cast<int64_t>(std::lround(share * 100))) + "%";
}

std::string partition_of(const json& move) {
  if (text_of(move, "kind") == "reader") {
    return "source partition " + std::to_string(number_of(move, "source_partition"));
  }
  return "key partition " + std::to_string(number_of(move, "key_partition"));
}

void print_workers(const json& plan) {
  Table table({"NODE", "STATE", "LOAD", "KEY PARTITIONS", "STANDBYS", "SOURCE PARTITIONS"});
  for (const json& worker : list_of(plan, "workers")) {
    const json& load = worker.at("load");
    const std::string before = percent(load, "before");
    const std::string after = percent(load, "after");
    table.add({text_of(worker, "node"), flag_of(worker, "draining") ? "draining" : "alive",
               before == after ? before : before + " -> " + after,
               before_after(worker, "key_partitions"), before_after(worker, "standbys"),
               before_after(worker, "source_partitions")});
  }
  std::fputs(table.render().c_str(), stdout);
}

void print_plan(const json& plan) {
  print_workers(plan);
  const json& moves = list_of(plan, "moves");
  if (moves.empty()) {
    std::puts("\nnothing is to be moved");
  } else {
    std::puts("");
    Table table({"JOB", "WHAT", "ROLE", "FROM", "TO", "WHY"});
    for (const json& move : moves) {
      table.add({text_of(move, "job"), partition_of(move), text_of(move, "kind"),
                 text_of(move, "from"), text_of(move, "to"), text_of(move, "reason")});
    }
    std::fputs(table.render().c_str(), stdout);
  }
  for (const json& obstacle : list_of(plan, "obstacles")) {
    std::printf("%s: %s\n", text_of(obstacle, "constraint").c_str(),
                text_of(obstacle, "text").c_str());
  }
}

void print_status(const json& status) {
  if (number_of(status, "id") == 0) {
    std::puts("nothing has been rebalanced yet");
  } else {
    std::printf("rebalance %llu (%s): %llu of %llu moves done, %llu dropped%s\n",
                static_cast<unsigned long long>(number_of(status, "id")),
                text_of(status, "cause").c_str(),
                static_cast<unsigned long long>(number_of(status, "done")),
                static_cast<unsigned long long>(number_of(status, "moves")),
                static_cast<unsigned long long>(number_of(status, "dropped")),
                text_of(status, "finished_at").empty() ? "" : ", finished");
  }
  const json& pending = list_of(status, "pending_moves");
  if (!pending.empty()) {
    Table table({"JOB", "WHAT", "ROLE", "FROM", "TO", "STATE", "FOR", "WAITS FOR"});
    for (const json& move : pending) {
      const bool stalled = flag_of(move, "stalled");
      table.add(
          {text_of(move, "job"), partition_of(move), text_of(move, "kind"), text_of(move, "from"),
           text_of(move, "to"), stalled ? "stalled" : text_of(move, "state"),
           std::to_string(number_of(move, "for_ms") / 1000) + " s", text_of(move, "waits_for")});
    }
    std::fputs(table.render().c_str(), stdout);
  }
  for (const json& drain : list_of(status, "draining")) {
    if (flag_of(drain, "finished")) {
      std::printf("worker %s is drained\n", text_of(drain, "node").c_str());
      continue;
    }
    std::printf(
        "worker %s is draining: %llu key partitions, %llu standbys, %llu source partitions\n",
        text_of(drain, "node").c_str(),
        static_cast<unsigned long long>(number_of(drain, "key_partitions")),
        static_cast<unsigned long long>(number_of(drain, "standbys")),
        static_cast<unsigned long long>(number_of(drain, "source_partitions")));
  }
}

}  // namespace

ExitCode RebalanceCommand::run(const GlobalOptions& global) const {
  const std::string only = job.empty() ? "" : "job=" + percent_encode(job);
  Reply reply;
  if (status) {
    reply = get_coordinator(global, "/v1/rebalance");
  } else {
    const std::string query =
        plan ? "?plan=true" + (only.empty() ? "" : "&" + only) : (only.empty() ? "" : "?" + only);
    reply = post_coordinator(global, "/v1/rebalance" + query, "");
  }
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    std::puts(reply.body.c_str());
  } else if (status) {
    print_status(reply.json);
  } else if (plan) {
    print_plan(reply.json);
  } else {
    std::printf("rebalance %llu has begun: %llu moves; `tidemill rebalance --status` follows it\n",
                static_cast<unsigned long long>(number_of(reply.json, "id")),
                static_cast<unsigned long long>(number_of(reply.json, "moves")));
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
