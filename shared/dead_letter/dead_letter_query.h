// Reading the dead letters of a job a page at a time, also while they are written: all source
// partitions and epochs merged, in order of (source partition, offset, view), each key once.
// Memory and the length of an answer are bounded by the page. Blocking.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/dead_letter/dead_letter.h"
#include "shared/dead_letter/letter_files.h"

namespace tidemill {

struct DeadLetterQuery {
  static constexpr size_t kLimitMax = 10'000;

  std::optional<BadReason> reason;
  std::optional<std::string> view;
  std::optional<std::string> source;
  std::string after;   // `next` of the page before; empty: from the first letter
  size_t limit = 100;  // letters on the page; 0: only counts
  bool counts = true;
};

struct DeadLetterCount {
  std::string source;
  BadReason reason{};
  std::string view;
  uint64_t letters = 0;
};

struct DeadLetterPage {
  std::vector<DeadLetter> letters;      // a page of large ones ends before the limit
  std::string next;                     // empty: there are no more
  std::vector<DeadLetterCount> counts;  // of all letters that match, on whatever page
};

// From the parameters of a request: reason, view, source, after, limit, counts (true, false;
// without it, the first page has counts). kUser: which parameter is wrong, and what would be right.
Result<DeadLetterQuery> parse_dead_letter_query(const std::map<std::string, std::string>& params);

// No letters if the job has none. kUser: `after` is not a token.
Result<DeadLetterPage> read_dead_letters(LetterFiles& files, const std::string& job_name, JobId job,
                                         const DeadLetterQuery& query);
// `root`: the directory of all dead letters.
Result<DeadLetterPage> read_dead_letters(const std::string& root, const std::string& job_name,
                                         JobId job, const DeadLetterQuery& query);

// {"dead_letters":[{"source","source_partition","partition","offset","view","reason","message",
// "size","bytes"}],"next":token or null,"counts":[{"source","reason","view","count"}]}; bytes in
// base64 (RFC 4648), "counts" only if asked for.
std::string to_json(const DeadLetterPage& page, const DeadLetterQuery& query);

}  // namespace tidemill
