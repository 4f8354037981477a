#include "cli/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace tidemill::cli {
namespace {

// The state letter and start time of a process: fields 3 and 22 of /proc/<pid>/stat (proc(5)).
bool read_stat(pid_t pid, char* state, uint64_t* start_time) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(in, text)) return false;
  const size_t name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return false;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  fields >> *state;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  return static_cast<bool>(fields >> *start_time);
}

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(const char* program, char* const* argv, int log, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(program, argv);
  constexpr char kMessage[] = "cannot be executed\n";
  [[maybe_unused]] const ssize_t n = write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  _exit(127);
}

}  // namespace

ProcessId identify(pid_t pid) {
  ProcessId out{pid, 0};
  char state = 0;
  if (!read_stat(pid, &state, &out.start_time)) out.start_time = 0;
  return out;
}

bool is_running(const ProcessId& process) {
  char state = 0;
  uint64_t start_time = 0;
  return process.pid > 0 && read_stat(process.pid, &state, &start_time) &&
         start_time == process.start_time && state != 'Z' && state != 'X';
}

void send_signal(const ProcessId& process, int signal) {
  if (is_running(process)) kill(process.pid, signal);
}

Result<ProcessId> start_child(const ChildSpec& spec) {
  if (access(spec.program.c_str(), X_OK) != 0) {
    return user_error("cannot run " + spec.program + ": " + std::strerror(errno) +
                      "; it is looked for beside this program, where the build puts it");
  }
  const int log = open(spec.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) return user_error("cannot write " + spec.log + ": " + std::strerror(errno));
  std::vector<char*> argv{const_cast<char*>(spec.program.c_str())};
  for (const std::string& arg : spec.args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become(spec.program.c_str(), argv.data(), log, parent);
  const int error = errno;
  close(log);
  if (pid < 0) return fatal_error(std::string("cannot start a process: ") + std::strerror(error));
  return identify(pid);
}

ReadyLine find_ready_line(const std::string& log, uint64_t from_byte) {
  std::ifstream in(log);
  in.seekg(static_cast<std::streamoff>(from_byte));
  ReadyLine out;
  std::string line;
  while (std::getline(in, line) && !in.eof()) {  // an unterminated line is still being written
    if (line.rfind("ready ", 0) != 0) continue;
    out.found = true;
    std::istringstream words(line);
    std::string word;
    while (words >> word) {
      if (word.rfind("endpoint=", 0) == 0) out.endpoint = word.substr(9);
      if (word.rfind("http=", 0) == 0) out.http = word.substr(5);
    }
    if (out.http.rfind("http://", 0) == 0) out.http.erase(0, 7);
    if (out.http.find(':') == std::string::npos) out.http.clear();  // "-" and the like
  }
  return out;
}

uint64_t file_size_bytes(const std::string& path) {
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  return ec ? 0 : size;
}

std::string log_tail(const std::string& log, uint64_t from_byte, size_t lines) {
  std::ifstream in(log);
  in.seekg(static_cast<std::streamoff>(from_byte));
  std::deque<std::string> last;
  std::string line;
  while (std::getline(in, line)) {
    last.push_back(line);
    if (last.size() > lines) last.pop_front();
  }
  std::string out;
  for (const std::string& kept : last) out += "    " + kept + "\n";
  return out;
}

std::string own_directory() {
  std::error_code ec;
  return std::filesystem::read_symlink("/proc/self/exe", ec).parent_path().string();
}

}  // namespace tidemill::cli
