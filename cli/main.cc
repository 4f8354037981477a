// tidemill: the command line. Binds options to the commands' structs and runs one of them.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>

#include "cli/cluster.h"
#include "cli/dead_letters.h"
#include "cli/down.h"
#include "cli/drain.h"
#include "cli/generate.h"
#include "cli/get.h"
#include "cli/job_list.h"
#include "cli/job_move_reader.h"
#include "cli/job_show.h"
#include "cli/job_stop.h"
#include "cli/job_submit.h"
#include "cli/job_update.h"
#include "cli/rebalance.h"
#include "cli/savepoints.h"
#include "cli/snapshot_list.h"
#include "cli/snapshot_show.h"
#include "cli/snapshot_trigger.h"
#include "cli/snapshot_verify.h"
#include "cli/sql.h"
#include "cli/training_set.h"
#include "cli/up.h"
#include "cli/validate.h"
#include "shared/obs/log.h"

namespace tidemill::cli {
namespace {

// Everything that can be asked for, and what was.
struct Commands {
  GlobalOptions global;
  UpCommand up;
  DownCommand down;
  ClusterCommand cluster;
  JobSubmitCommand job_submit;
  JobUpdateCommand job_update;
  JobListCommand job_list;
  JobShowCommand job_show;
  JobStopCommand job_stop;
  JobMoveReaderCommand job_move_reader;
  RebalanceCommand rebalance;
  DrainCommand drain;
  SnapshotListCommand snapshot_list;
  SnapshotShowCommand snapshot_show;
  SnapshotTriggerCommand snapshot_trigger;
  SnapshotVerifyCommand snapshot_verify;
  SavepointListCommand savepoint_list;
  SavepointShowCommand savepoint_show;
  SavepointDeleteCommand savepoint_delete;
  GetCommand get;
  DeadLettersCommand dead_letters;
  ValidateCommand validate;
  TrainingSetCommand training_set;
  SqlCommand sql;
  GenerateOptions generate;
  std::function<ExitCode()> chosen;
};

template <typename Command>
void choose(CLI::App* app, Commands* all, const Command& command) {
  app->callback(
      [all, &command] { all->chosen = [all, &command] { return command.run(all->global); }; });
}

void bind_up(CLI::App& root, Commands* all) {
  CLI::App* app = root.add_subcommand("up", "Start a local cluster, and supervise it");
  UpCommand& up = all->up;
  app->add_option("--dir", up.cluster.dir, "Directory of state and logs")->capture_default_str();
  app->add_option("--workers", up.cluster.workers, "Worker processes")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app->add_option("--shards", up.cluster.shards, "Threads of each worker and of the store")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app->add_option("--ports-from", up.cluster.ports_from,
                  "P: the coordinator's HTTP is at P, its control at P+1, the store's HTTP at "
                  "P+10; 0: free ports")
      ->check(CLI::Range(0, 65'525))
      ->capture_default_str();
  app->add_flag("--detach", up.detach, "Return when the cluster is ready; end it with `down`");
  app->add_flag("!--no-restart", up.cluster.restart, "Do not start again a process that died");
  app->add_option_function<int>(
         "--timeout", [&up](int seconds) { up.cluster.start_timeout_ms = int64_t{seconds} * 1000; },
         "Seconds within which the cluster must be ready (60)")
      ->check(CLI::Range(1, 3600));
  choose(app, all, up);
}

void bind_cluster(CLI::App& root, Commands* all) {
  CLI::App* down = root.add_subcommand("down", "End the cluster that `up` started");
  down->add_option("--dir", all->down.dir, "Its directory")->capture_default_str();
  choose(down, all, all->down);
  CLI::App* cluster = root.add_subcommand("cluster", "Show the members of the cluster");
  choose(cluster, all, all->cluster);
}

void bind_jobs(CLI::App& root, Commands* all) {
  CLI::App* job =
      root.add_subcommand("job", "Submit, update, list, show and stop jobs, move readers");
  job->require_subcommand(1);
  job->fallthrough();
  CLI::App* submit = job->add_subcommand("submit", "Submit a job file");
  submit->add_option("file", all->job_submit.file, "The job, in YAML")->required();
  submit->add_flag("--wait", all->job_submit.wait, "Wait until it is complete, showing progress");
  submit->add_option("--from-savepoint", all->job_submit.from_savepoint,
                     "A savepoint whose state it starts with, as in `savepoint list`");
  choose(submit, all, all->job_submit);
  CLI::App* update =
      job->add_subcommand("update", "Change a running job to what its file says now");
  update->add_option("file", all->job_update.file, "The job, in YAML")->required();
  update->add_option("--job", all->job_update.job,
                     "Name or id of the running job; default: the name in the file");
  update->add_flag("--plan", all->job_update.plan,
                   "Say what happens to each difference, and change nothing");
  choose(update, all, all->job_update);
  CLI::App* list = job->add_subcommand("list", "List all jobs");
  choose(list, all, all->job_list);
  CLI::App* show = job->add_subcommand("show", "Show how far a job is and what it holds");
  show->add_option("job", all->job_show.job, "Its name or id")->required();
  choose(show, all, all->job_show);
  CLI::App* stop = job->add_subcommand("stop", "Stop a job for good");
  stop->add_option("job", all->job_stop.job, "Its name or id")->required();
  choose(stop, all, all->job_stop);
  CLI::App* move = job->add_subcommand("move-reader", "Have another worker read a partition");
  move->add_option("job", all->job_move_reader.job, "Its name or id")->required();
  move->add_option("partition", all->job_move_reader.source_partition,
                   "Number of the source partition, as in `job show`")
      ->required();
  move->add_option("--to", all->job_move_reader.to,
                   "Node of the worker, as in `cluster`; default: the one with the fewest readers");
  choose(move, all, all->job_move_reader);
  for (CLI::App* app : {submit, update, list, show, stop, move}) app->fallthrough();
}

void bind_snapshot_verify(CLI::App* app, Commands* all) {
  SnapshotVerifyCommand& verify = all->snapshot_verify;
  auto* job = app->add_option("job", verify.job, "Its name or id");
  auto* savepoint = app->add_option("--savepoint", verify.savepoint, "A savepoint instead");
  savepoint->excludes(job);
  app->add_option_function<uint32_t>(
         "key_partition", [&verify](uint32_t k) { verify.key_partition = k; },
         "Of the job, that one alone")
      ->needs(job);
  app->callback([all, job, savepoint] {
    if (job->count() + savepoint->count() == 0) throw CLI::RequiredError("JOB or --savepoint");
    all->chosen = [all] { return all->snapshot_verify.run(all->global); };
  });
}

// JOB K, or K --savepoint NAME.
void bind_snapshot_show(CLI::App* app, Commands* all) {
  auto words = std::make_shared<std::vector<std::string>>();
  app->add_option(
         "job_and_key_partition", *words,
         "The job's name or id, then the number of the key partition; with --savepoint the "
         "number alone")
      ->required()
      ->expected(1, 2);
  auto* savepoint =
      app->add_option("--savepoint", all->snapshot_show.savepoint, "The one of a savepoint");
  app->callback([all, words, savepoint] {
    SnapshotShowCommand& show = all->snapshot_show;
    if (words->size() != (savepoint->count() > 0 ? 1 : 2)) {
      throw CLI::ValidationError("snapshot show", "it takes JOB K, or K --savepoint NAME");
    }
    if (words->size() == 2) show.job = words->front();
    if (!CLI::detail::lexical_cast(words->back(), show.key_partition)) {
      throw CLI::ValidationError("snapshot show",
                                 "'" + words->back() + "' is not the number of a key partition");
    }
    all->chosen = [all] { return all->snapshot_show.run(all->global); };
  });
}

void bind_snapshots(CLI::App& root, Commands* all) {
  CLI::App* snapshot = root.add_subcommand("snapshot", "List, show, verify and trigger snapshots");
  snapshot->require_subcommand(1);
  CLI::App* list = snapshot->add_subcommand("list", "The newest snapshot of each key partition");
  list->add_option("job", all->snapshot_list.job, "Its name or id")->required();
  choose(list, all, all->snapshot_list);
  CLI::App* show = snapshot->add_subcommand("show", "What snapshots of a key partition consist of");
  bind_snapshot_show(show, all);
  CLI::App* verify = snapshot->add_subcommand("verify", "Read snapshots whole, and check them");
  bind_snapshot_verify(verify, all);
  CLI::App* trigger = snapshot->add_subcommand("trigger", "Have snapshots taken now");
  trigger->add_option("job", all->snapshot_trigger.job, "Its name or id")->required();
  trigger->add_option("--name", all->snapshot_trigger.name,
                      "Make a savepoint of them, which is kept until it is deleted");
  trigger->add_flag("--wait", all->snapshot_trigger.wait, "Wait until all have been taken");
  choose(trigger, all, all->snapshot_trigger);
  for (CLI::App* app : {snapshot, list, show, verify, trigger}) app->fallthrough();
}

void bind_savepoints(CLI::App& root, Commands* all) {
  CLI::App* savepoint = root.add_subcommand("savepoint", "List, show and delete savepoints");
  savepoint->require_subcommand(1);
  CLI::App* list = savepoint->add_subcommand("list", "List all savepoints");
  choose(list, all, all->savepoint_list);
  CLI::App* show = savepoint->add_subcommand("show", "Show what a savepoint holds");
  show->add_option("name", all->savepoint_show.name, "Its name")->required();
  choose(show, all, all->savepoint_show);
  CLI::App* remove = savepoint->add_subcommand("delete", "Delete a savepoint for good");
  remove->add_option("name", all->savepoint_delete.name, "Its name")->required();
  choose(remove, all, all->savepoint_delete);
  for (CLI::App* app : {savepoint, list, show, remove}) app->fallthrough();
}

void bind_moves(CLI::App& root, Commands* all) {
  CLI::App* rebalance =
      root.add_subcommand("rebalance", "Spread what workers own according to what it costs");
  rebalance->add_option("job", all->rebalance.job, "Only of this job: its name or id");
  auto* plan = rebalance->add_flag("--plan", all->rebalance.plan,
                                   "Show what would be moved and why, and move nothing");
  rebalance->add_flag("--status", all->rebalance.status, "Show how far the newest one is")
      ->excludes(plan);
  choose(rebalance, all, all->rebalance);
  CLI::App* drain =
      root.add_subcommand("drain", "Move everything that a worker owns to the others");
  drain->add_option("node", all->drain.node, "The worker, as in `cluster`")->required();
  auto* undo = drain->add_flag("--undo", all->drain.undo, "It may own things again");
  drain->add_flag("--wait", all->drain.wait, "Return when it owns nothing")->excludes(undo);
  choose(drain, all, all->drain);
}

void bind_get(CLI::App& root, Commands* all) {
  CLI::App* app = root.add_subcommand("get", "Read features from the serving store");
  GetCommand& get = all->get;
  app->add_option("job", get.job, "The job's name")->required();
  app->add_option("--entity", get.entities,
                  "A join key and its values: customer_id=596,4961; once per join key")
      ->required();
  auto* features =
      app->add_option("--features", get.features, "Names: customer.*,terminal_risk.risk_7d");
  auto* service = app->add_option("--service", get.service, "A service of the job instead");
  features->excludes(service);
  app->add_option("--as-of", get.as_of, "Time of the values (RFC 3339); default: the latest");
  app->add_option("--store", get.store, "The store's address; default: the cluster's");
  app->add_flag("--offsets", get.offsets, "With --json: what each row was computed from");
  auto* watch = app->add_option_function<double>(
      "--watch",
      [&get](double seconds) {
        get.watch = true;
        get.watch_seconds = seconds;
      },
      "Read again every so many seconds (1), marking what changed with '*'");
  watch->expected(0, 1)->default_str("1")->check(CLI::Range(0.05, 86'400.0));
  app->add_option("--count", get.count, "With --watch: end after so many readings")->needs(watch);
  app->callback([all, features, service] {
    if (features->count() + service->count() == 0) {
      throw CLI::RequiredError("--features or --service");
    }
    all->chosen = [all] { return all->get.run(all->global); };
  });
}

void bind_dead_letters(CLI::App& root, Commands* all) {
  CLI::App* app = root.add_subcommand("dead-letters", "Show the records that a job could not use");
  DeadLettersCommand& letters = all->dead_letters;
  app->add_option("job", letters.job, "Its name or id")->required();
  app->add_option("--reason", letters.reason, "unparsable, oversized, future or expression");
  app->add_option("--view", letters.view, "Those that failed in this view's expressions");
  app->add_option("--source", letters.source, "Those of this source");
  auto* limit = app->add_option("--limit", letters.limit, "At most so many")
                    ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
                    ->capture_default_str();
  app->add_flag("--all", letters.all, "All of them")->excludes(limit);
  app->add_flag("--raw", letters.raw, "The records themselves, a line each");
  app->add_flag("--counts", letters.counts, "How many there are by source, reason and view");
  choose(app, all, letters);
}

void bind_validate(CLI::App& root, Commands* all) {
  CLI::App* app = root.add_subcommand("validate", "Check a job file without a cluster");
  ValidateCommand& validate = all->validate;
  app->add_option("file", validate.file, "The job, in YAML")->required();
  auto* sample = app->add_option("--sample", validate.sample,
                                 "Events to run the job's expressions, keys and windows on: a file "
                                 "of .csv, .ndjson or .jsonl, or .gz, or of .avro");
  app->add_option("--source", validate.source, "Whose events the sample is of")->needs(sample);
  app->add_option("--keys", validate.keys,
                  "So many keys of each entity, those with most rows, have their features shown")
      ->needs(sample)
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  choose(app, all, validate);
}

void bind_training_set(CLI::App& root, Commands* all) {
  CLI::App* app = root.add_subcommand(
      "training-set", "Features at the times that a spine names, without a cluster");
  TrainingSetCommand& to = all->training_set;
  app->add_option("--job", to.job, "The job, in YAML")->required();
  app->add_option("--spine", to.spine, "CSV or Parquet of entity columns, times, and anything else")
      ->required();
  app->add_option("--out", to.out, "CSV or Parquet: the spine and a column for each feature")
      ->required();
  app->add_option("--service", to.service, "Only the features of this service of the job");
  app->add_option("--time-column", to.time_column, "The spine's column of times")
      ->capture_default_str();
  auto* known_at =
      app->add_option("--known-at", to.known_at,
                      "What counts at a time: events of before it (event), or of these only "
                      "those that had arrived (arrival)")
          ->check(CLI::IsMember({"event", "arrival"}))
          ->capture_default_str();
  app->add_option("--arrival-column", to.arrival_column,
                  "The sources' column that says when an event arrived")
      ->needs(known_at);
  app->add_option("--memory-budget-bytes", to.memory_budget_bytes,
                  "Rows and results held in memory; what exceeds it is spilled to disk")
      ->check(CLI::Range(uint64_t{1} << 20, uint64_t{1} << 44))
      ->capture_default_str();
  app->add_option("--spill-dir", to.spill_dir, "Where to spill; default: the directory of --out");
  app->add_option("--threads", to.threads, "Default: one for each core")
      ->check(CLI::Range(1, 1024));
  app->add_flag("--quiet", to.quiet, "No progress bars and no summary");
  choose(app, all, to);
}

void bind_sql(CLI::App& root, Commands* all) {
  CLI::App* app = root.add_subcommand("sql", "A job as point-in-time SQL for a spine table");
  SqlCommand& sql = all->sql;
  app->add_option("--job", sql.job, "The job, in YAML")->required();
  app->add_option("--dialect", sql.dialect, "postgres, duckdb or spark")
      ->required()
      ->check(CLI::IsMember({"postgres", "duckdb", "spark"}));
  app->add_option("--spine", sql.spine, "The table of entity columns and times")->required();
  app->add_option("--time-column", sql.time_column, "The spine's column of times")
      ->capture_default_str();
  app->add_option("--service", sql.service, "Only the features of this service of the job");
  choose(app, all, sql);
}

void bind_generate(CLI::App& root, Commands* all) {
  CLI::App* app =
      root.add_subcommand("generate", "Write generated card transactions to files or a topic");
  GenerateOptions& to = all->generate;
  const auto option = [app](const char* name, auto& value, const char* help) {
    return app->add_option(name, value, help)->capture_default_str();
  };
  const auto share = [&](const char* name, double& value, const char* help) {
    option(name, value, help)->check(CLI::Range(0.0, 1.0));
  };
  option("--out", to.out, "Directory; made if it does not exist");
  app->add_option("--format", to.format, "csv or ndjson; to a topic csv or json")
      ->check(CLI::IsMember({"csv", "ndjson", "json"}));
  option("--seed", to.seed, "The same seed gives the same events");
  option("--partitions", to.partitions, "Files, or partitions of the topic")
      ->check(CLI::Range(1, 65'536));
  option("--events", to.events, "Events per file or partition");
  option("--customers", to.customers, "Customers")->check(CLI::PositiveNumber);
  option("--terminals", to.terminals, "Terminals")->check(CLI::PositiveNumber);
  option("--zipf-exponent", to.zipf_exponent, "Skew of customers and terminals; 0: uniform")
      ->check(CLI::NonNegativeNumber);
  option("--start-time", to.start_time, "Event time of the first event (RFC 3339)");
  option("--events-per-second", to.events_per_second, "In event time, over all of them")
      ->check(CLI::PositiveNumber);
  share("--late-share", to.late_share, "Share of events that are dated back");
  option("--late-by", to.late_by, "By up to this, such as 1h");
  share("--tie-share", to.tie_share, "Share of events with the event time of the one before");
  share("--burst-share", to.burst_share, "Share of time in bursts");
  option("--burst-factor", to.burst_factor, "Rate within bursts, as a multiple")
      ->check(CLI::PositiveNumber);
  share("--malformed-share", to.malformed_share, "Share of records that cannot be read");
  share("--fraud-share", to.fraud_share, "Share of fraudulent events");
  app->add_flag("--quiet", to.quiet, "No progress bar and no summary");
  auto* kafka = app->add_option("--kafka", to.kafka, "Brokers, HOST:PORT,..: write to a topic");
  app->add_option("--topic", to.topic, "The topic; made if it does not exist")->needs(kafka);
  option("--partitions-key", to.partition_key,
         "A record's partition: that of the generator, or by customer_id")
      ->check(CLI::IsMember({"round-robin", "customer_id"}))
      ->needs(kafka);
  option("--timestamps", to.timestamps, "Of the records: event-time or now")
      ->check(CLI::IsMember({"event-time", "now"}))
      ->needs(kafka);
  app->add_flag("--live", to.live, "Write no event before its time; those of the past at once")
      ->needs(kafka);
  app->add_option("--client", to.client, "A setting of librdkafka, NAME=VALUE; any number")
      ->needs(kafka);
  app->callback([all] {
    all->chosen = [all] {
      set_log_level(LogLevel::kError);  // what the Kafka client says is in the error's message
      return static_cast<ExitCode>(run_generate(all->generate));
    };
  });
}

int run(int argc, char** argv) {
  Commands all;
  CLI::App root{"Tidemill: features from event streams, computed and served fresh", "tidemill"};
  root.set_version_flag("--version", std::string("tidemill ") + TIDEMILL_VERSION);
  root.add_option("--coordinator", all.global.coordinator,
                  "The coordinator's HTTP address, or those of all, with commas between; default: "
                  "that of ./run/cluster.json, or http://127.0.0.1:7070")
      ->envname("TIDEMILL_COORDINATOR");
  root.add_flag("--json", all.global.json, "Raw JSON to stdout, for programs");
  root.require_subcommand(1);
  bind_up(root, &all);
  bind_cluster(root, &all);
  bind_jobs(root, &all);
  bind_snapshots(root, &all);
  bind_savepoints(root, &all);
  bind_moves(root, &all);
  bind_get(root, &all);
  bind_dead_letters(root, &all);
  bind_validate(root, &all);
  bind_training_set(root, &all);
  bind_sql(root, &all);
  bind_generate(root, &all);
  for (CLI::App* app : root.get_subcommands({})) app->fallthrough();
  root.footer("Exit codes: 0 ok, 1 failed, 2 bad usage or input, 3 not reachable.");
  try {
    root.parse(argc, argv);
    return static_cast<int>(all.chosen());
  } catch (const CLI::ParseError& e) {
    return root.exit(e) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  } catch (const std::exception& e) {
    return static_cast<int>(fail(ExitCode::kFailed, e.what()));
  }
}

}  // namespace
}  // namespace tidemill::cli

int main(int argc, char** argv) { return tidemill::cli::run(argc, argv); }
