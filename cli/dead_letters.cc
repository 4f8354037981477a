#include "cli/dead_letters.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "cli/api.h"
#include "cli/table.h"
#include "shared/dead_letter/base64.h"
#include "shared/net/query_string.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

constexpr uint64_t kPageLetters = 1'000;
constexpr size_t kShownBytes = 60;

std::string shown(std::string text) {
  if (text.size() <= kShownBytes) return text;
  size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string bytes_of(const json& letter) {
  return decode_base64(text_of(letter, "bytes")).value_or("");
}

class Printer {
 public:
  Printer(const DeadLettersCommand& command, const GlobalOptions& global)
      : raw_(command.raw), lines_(global.json) {}

  void print(const json& letters) {
    if (!raw_ && !lines_) return print_table(letters);
    for (const json& letter : letters) {
      const std::string line = raw_ ? bytes_of(letter) : letter.dump();
      if (raw_) cut_ += number_of(letter, "size") > line.size() ? 1 : 0;
      std::fwrite(line.data(), 1, line.size(), stdout);
      std::fputc('\n', stdout);
    }
  }

  // Records of which the log has more bytes than the dead letters.
  uint64_t cut() const { return cut_; }

 private:
  void print_table(const json& letters) {
    if (letters.empty()) return;
    Table table({"SOURCE", "PARTITION", "OFFSET", "VIEW", "REASON", "MESSAGE", "RECORD"});
    table.align_right(1);
    table.align_right(2);
    for (const json& letter : letters) {
      table.add({text_of(letter, "source"), std::to_string(number_of(letter, "partition")),
                 std::to_string(number_of(letter, "offset")), text_of(letter, "view"),
                 text_of(letter, "reason"), text_of(letter, "message"), shown(bytes_of(letter))});
    }
    std::fputs(table.render().c_str(), stdout);
  }

  bool raw_;
  bool lines_;
  uint64_t cut_ = 0;
};

std::string path_of(const DeadLettersCommand& command, uint64_t limit, const std::string& after) {
  std::string path =
      "/v1/jobs/" + percent_encode(command.job) + "/dead-letters?limit=" + std::to_string(limit);
  for (const auto& [name, value] : {std::pair{"reason", command.reason},
                                    {"view", command.view},
                                    {"source", command.source},
                                    {"after", after}}) {
    if (!value.empty()) path += std::string("&") + name + "=" + percent_encode(value);
  }
  return path;
}

uint64_t total_of(const json& answer) {
  uint64_t total = 0;
  for (const json& count : list_of(answer, "counts")) total += number_of(count, "count");
  return total;
}

ExitCode print_counts(const DeadLettersCommand& command, const GlobalOptions& global) {
  const Reply reply = get_coordinator(global, path_of(command, 0, ""));
  if (!reply.ok()) return fail(reply.exit, reply.message);
  if (global.json) {
    for (const json& count : list_of(reply.json, "counts")) std::puts(count.dump().c_str());
    return ExitCode::kOk;
  }
  Table table({"SOURCE", "REASON", "VIEW", "COUNT"});
  table.align_right(3);
  for (const json& count : list_of(reply.json, "counts")) {
    table.add({text_of(count, "source"), text_of(count, "reason"), text_of(count, "view"),
               with_separators(number_of(count, "count"))});
  }
  std::fputs(table.render().c_str(), stdout);
  return ExitCode::kOk;
}

void note(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

}  // namespace

ExitCode DeadLettersCommand::run(const GlobalOptions& global) const {
  if (raw && global.json) {
    return fail(ExitCode::kUsage, "--raw and --json: choose the records or the letters");
  }
  if (counts) {
    if (raw) return fail(ExitCode::kUsage, "--raw and --counts: choose one of them");
    return print_counts(*this, global);
  }
  Printer printer(*this, global);
  uint64_t printed = 0;
  uint64_t total = 0;
  std::string after;
  do {
    const uint64_t wanted = all ? kPageLetters : std::min(kPageLetters, limit - printed);
    const Reply reply = get_coordinator(global, path_of(*this, wanted, after));
    if (!reply.ok()) return fail(reply.exit, reply.message);
    if (after.empty()) total = total_of(reply.json);
    const json& letters = list_of(reply.json, "dead_letters");
    printer.print(letters);
    printed += letters.size();
    after = text_of(reply.json, "next");
  } while (!after.empty() && (all || printed < limit));
  std::fflush(stdout);
  if (!after.empty()) {
    note(with_separators(printed) + " of " + with_separators(total) +
         " dead letters; more with --limit N or --all");
  } else if (printed == 0) {
    note("there are no such dead letters");
  }
  if (printer.cut() > 0) {
    note(with_separators(printer.cut()) + " of the records are longer than what is kept of them (" +
         "64 KiB); the rest is in their log");
  }
  return ExitCode::kOk;
}

}  // namespace tidemill::cli
