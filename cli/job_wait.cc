#include "cli/job_wait.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/api.h"
#include "cli/child_process.h"
#include "cli/clock.h"
#include "cli/table.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

constexpr int64_t kPollMs = 300;
constexpr int64_t kPatienceMs = 30'000;
constexpr int kBarWidth = 30;

// The end of a source partition, as far as it can be told from here.
uint64_t end_of(const json& source) {
  const uint64_t read = number_of(source, "offset");
  const std::string input = text_of(source, "input");
  const bool is_text = input.ends_with(".csv") || input.ends_with(".ndjson") ||
                       input.ends_with(".json") || input.ends_with(".jsonl");
  if (flag_of(source, "finished") || !is_text) return read;
  return std::max(read, file_size_bytes(input));
}

class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) {}

  void show(const JobProgress& progress, const std::string& state) {
    if (quiet_) return;
    // 100 % is said once it is complete, and not before.
    const int percent = std::min(static_cast<int>(std::floor(progress.share * 100)),
                                 state == "COMPLETED" ? 100 : 99);
    if (!progress.error.empty() && progress.error != error_) {
      end();
      std::fprintf(stderr, "tidemill: reading stands still: %s\n", progress.error.c_str());
      error_ = progress.error;
    }
    if (terminal_) {
      std::string bar(static_cast<size_t>(percent * kBarWidth / 100), '#');
      bar.resize(kBarWidth, '.');
      std::fprintf(stderr, "\r[%s] %3d%%  %s records  %s\x1b[K", bar.c_str(), percent,
                   with_separators(progress.records).c_str(), state.c_str());
      std::fflush(stderr);
      open_ = true;
    } else if (percent / 10 != tenth_ || state != state_) {
      std::fprintf(stderr, "%3d%%  %s records  %s\n", percent,
                   with_separators(progress.records).c_str(), state.c_str());
    }
    tenth_ = percent / 10;
    state_ = state;
  }

  // Leaves the line as it is; what follows begins on another.
  void end() {
    if (open_) std::fputc('\n', stderr);
    open_ = false;
  }

 private:
  bool quiet_;
  bool terminal_;
  bool open_ = false;
  int tenth_ = -1;
  std::string state_;
  std::string error_;
};

ExitCode finish(const GlobalOptions& global, const Reply& reply) {
  if (global.json) {
    std::puts(reply.body.c_str());
    return ExitCode::kOk;
  }
  const JobProgress progress = progress_of(reply.json);
  std::printf("job %s is complete: %s records, of which %s bad; %s rows held for %s keys\n",
              text_of(reply.json, "name").c_str(), with_separators(progress.records).c_str(),
              with_separators(progress.bad_records).c_str(),
              with_separators(number_of(reply.json, "rows")).c_str(),
              with_separators(number_of(reply.json, "keys")).c_str());
  return ExitCode::kOk;
}

}  // namespace

JobProgress progress_of(const json& job) {
  JobProgress out;
  const json& sources = list_of(job, "sources");
  for (const json& source : sources) {
    const auto end = static_cast<double>(end_of(source));
    const auto published = static_cast<double>(number_of(source, "published"));
    const bool empty = end == 0;
    const double share = empty ? (flag_of(source, "finished") ? 1 : 0) : published / end;
    out.share += std::min(share, 1.0) / static_cast<double>(sources.size());
    out.records += number_of(source, "records");
    out.bad_records += number_of(source, "bad_records");
    if (out.error.empty()) out.error = text_of(source, "error");
  }
  return out;
}

ExitCode wait_for_job(const GlobalOptions& global, const std::string& job) {
  const std::string path = "/v1/jobs/" + percent_encode(job);
  ProgressLine line(global.json);
  int64_t reached_ms = monotonic_ms();
  for (;;) {
    const Reply reply = get_coordinator(global, path);
    if (reply.ok()) {
      reached_ms = monotonic_ms();
      const std::string state = text_of(reply.json, "state");
      line.show(progress_of(reply.json), state);
      if (state == "COMPLETED") {
        line.end();
        return finish(global, reply);
      }
      if (state == "STOPPED") {
        line.end();
        return fail(ExitCode::kFailed, "job " + job + " was stopped before it was complete");
      }
      if (state == "FAILED") {
        line.end();
        return fail(ExitCode::kFailed,
                    "job " + job + " has failed: " + text_of(reply.json, "error"));
      }
    } else if (reply.status != 0 || monotonic_ms() - reached_ms > kPatienceMs) {
      line.end();
      return fail(reply.exit, reply.message);
    }
    sleep_ms(kPollMs);
  }
}

}  // namespace tidemill::cli
