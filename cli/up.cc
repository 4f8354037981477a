#include "cli/up.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "cli/table.h"

namespace tidemill::cli {
namespace {

std::string how_to_go_on(const UpCommand& command, const ClusterFile& cluster) {
  const std::string dir = command.cluster.dir;
  std::string out = "\nlogs: " + dir + "/logs\n\ngo on with\n";
  out += "  tidemill job submit config/jobs/card_fraud_generated.yaml\n";
  out += "  tidemill job list\n";
  out += "  tidemill cluster\n";
  out += "  curl " + cluster.store + "/health\n";
  if (dir != "./run" && dir != "run") {
    out += "tell other commands with\n  export TIDEMILL_COORDINATOR=" + cluster.coordinator + "\n";
  }
  out += command.detach ? "end the cluster with\n  tidemill down --dir " + dir + "\n"
                        : "end the cluster with Ctrl-C\n";
  return out;
}

std::string report(const UpCommand& command, const GlobalOptions& global,
                   const ClusterFile& cluster) {
  if (global.json) return cluster.to_json();
  Table table({"PROCESS", "PID", "ENDPOINT", "HTTP"});
  table.align_right(1);
  for (const ClusterProcess& process : cluster.processes) {
    table.add({process.name, std::to_string(process.id.pid), process.endpoint,
               process.http.empty() ? "" : "http://" + process.http});
  }
  return table.render() + how_to_go_on(command, cluster);
}

ExitCode run_in_foreground(const UpCommand& command, const GlobalOptions& global) {
  Supervisor supervisor(command.cluster);
  Status status = supervisor.lock();
  if (status.ok()) status = supervisor.start();
  if (!status.ok()) return fail(ExitCode::kFailed, status.error().message());
  std::fputs(report(command, global, supervisor.cluster()).c_str(), stdout);
  std::fflush(stdout);
  supervisor.run();
  supervisor.stop();
  if (!global.json) std::puts("the cluster has ended");
  return ExitCode::kOk;
}

void write_all(int fd, const std::string& text) {
  size_t at = 0;
  while (at < text.size()) {
    const ssize_t n = write(fd, text.data() + at, text.size() - at);
    if (n <= 0) return;  // nobody waits any more
    at += static_cast<size_t>(n);
  }
}

void redirect_output(const std::string& log) {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  dup2(null, STDIN_FILENO);
  dup2(out >= 0 ? out : null, STDOUT_FILENO);
  dup2(out >= 0 ? out : null, STDERR_FILENO);
}

// The background process: its first byte to `reports` is '1' and what it will print if the cluster
// is up, or '0' and why it is not.
ExitCode supervise_in_background(const UpCommand& command, const GlobalOptions& global,
                                 int reports) {
  setsid();
  signal(SIGPIPE, SIG_IGN);
  Supervisor supervisor(command.cluster);
  Status status = supervisor.lock();
  if (status.ok()) {
    redirect_output(command.cluster.dir + "/logs/supervisor.log");
    status = supervisor.start();
  }
  write_all(reports, status.ok() ? "1" + report(command, global, supervisor.cluster())
                                 : "0" + status.error().message());
  close(reports);
  if (!status.ok()) return ExitCode::kFailed;
  supervisor.run();
  supervisor.stop();
  return ExitCode::kOk;
}

ExitCode run_detached(const UpCommand& command, const GlobalOptions& global) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(ExitCode::kFailed, "cannot make a pipe");
  const pid_t pid = fork();
  if (pid < 0) return fail(ExitCode::kFailed, "cannot start a process in the background");
  if (pid == 0) {
    close(ends[0]);
    _exit(static_cast<int>(supervise_in_background(command, global, ends[1])));
  }
  close(ends[1]);
  std::string text;
  char bytes[4096];
  for (ssize_t n = 0; (n = read(ends[0], bytes, sizeof(bytes))) > 0;) {
    text.append(bytes, static_cast<size_t>(n));
  }
  close(ends[0]);
  if (text.empty()) {
    return fail(ExitCode::kFailed, "the background process ended before the cluster was up: see " +
                                       command.cluster.dir + "/logs/supervisor.log");
  }
  if (text[0] != '1') {
    waitpid(pid, nullptr, 0);
    return fail(ExitCode::kFailed, text.substr(1));
  }
  std::fputs(text.c_str() + 1, stdout);
  return ExitCode::kOk;
}

}  // namespace

ExitCode UpCommand::run(const GlobalOptions& global) const {
  if (cluster.ports_from > 65'525) {
    return fail(ExitCode::kUsage, "--ports-from: must be at most 65525, or 0 for free ports");
  }
  return detach ? run_detached(*this, global) : run_in_foreground(*this, global);
}

}  // namespace tidemill::cli
