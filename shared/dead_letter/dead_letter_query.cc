#include "shared/dead_letter/dead_letter_query.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "shared/dead_letter/letter_scan.h"
#include "shared/net/json_text.h"

namespace tidemill {
namespace {

constexpr size_t kPageBytes = 8 << 20;  // of lines, about

// Where a page begins: behind this letter.
struct Position {
  uint32_t source_partition = 0;
  LetterKey key;
};

std::string to_token(const DeadLetter& letter) {
  return std::to_string(letter.source_partition.value) + "." + std::to_string(letter.offset) + "." +
         letter.view;
}

template <typename T>
bool take_number(std::string_view* text, T* value) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *value);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

bool parse_token(std::string_view text, Position* position) {
  if (!take_number(&text, &position->source_partition) || !text.starts_with('.')) return false;
  text.remove_prefix(1);
  if (!take_number(&text, &position->key.offset) || !text.starts_with('.')) return false;
  position->key.view = text.substr(1);
  return true;
}

// The files of each source partition, by epoch.
using FilesOfPartition = std::map<uint32_t, std::vector<std::string>>;

Result<FilesOfPartition> find_files(LetterFiles& files, const std::string& directory) {
  const auto names = files.list(directory);
  if (!names) return names.error();
  FilesOfPartition found;
  for (const std::string& text : *names) {  // sorted, so that epochs rise
    LetterFileName name;
    if (parse_file_name(text, &name)) {
      found[name.source_partition].push_back(directory + "/" + text);
    }
  }
  return found;
}

// All letters of a source partition are of one source, which the first one names.
Result<std::string> source_of(LetterFiles& files, const std::vector<std::string>& paths) {
  PartitionScan scan(&files, paths);
  const auto found = scan.next();
  if (!found) return found.error();
  if (!*found) return std::string();
  auto letter = scan.letter();
  if (!letter) return letter.error();
  return letter->source;
}

bool matches(const DeadLetterQuery& query, const LetterHead& head) {
  return (!query.reason || head.reason == *query.reason) &&
         (!query.view || head.key.view == *query.view);
}

Status count(PartitionScan scan, const DeadLetterQuery& query, const std::string& source,
             std::map<std::tuple<std::string, BadReason, std::string>, uint64_t>* counts) {
  for (;;) {
    const auto found = scan.next();
    if (!found) return found.error();
    if (!*found) return {};
    const LetterHead& head = scan.head();
    if (matches(query, head)) ++(*counts)[{source, head.reason, head.key.view}];
  }
}

class PageBuilder {
 public:
  PageBuilder(const DeadLetterQuery& query, DeadLetterPage* page) : query_(query), page_(page) {}

  // False once the page is full and there is more.
  Result<bool> add(PartitionScan scan) {
    for (;;) {
      const auto found = scan.next();
      if (!found) return found.error();
      if (!*found) return true;
      if (!matches(query_, scan.head())) continue;
      if (page_->letters.size() == query_.limit || bytes_ >= kPageBytes) {
        page_->next = to_token(page_->letters.back());
        return false;
      }
      auto letter = scan.letter();
      if (!letter) return letter.error();
      bytes_ += letter->bytes.size() + letter->message.size();
      page_->letters.push_back(std::move(letter).value());
    }
  }

 private:
  const DeadLetterQuery& query_;
  DeadLetterPage* page_;
  size_t bytes_ = 0;
};

Error wrong(const std::string& name, const std::string& value, const std::string& right) {
  return user_error(name + ": '" + value + "' " + right);
}

Status set_parameter(const std::string& name, const std::string& value, DeadLetterQuery* query) {
  Position position;
  if (name == "reason") {
    query->reason = parse_reason(value);
    if (!query->reason) {
      return wrong(name, value, "is none of unparsable, oversized, future, expression");
    }
  } else if (name == "view") {
    query->view = value;
  } else if (name == "source") {
    query->source = value;
  } else if (name == "after") {
    query->after = value;
    if (!value.empty() && !parse_token(value, &position)) {
      return wrong(name, value, "is not the `next` of an answer");
    }
  } else if (name == "limit") {
    std::string_view rest = value;
    if (!take_number(&rest, &query->limit) || !rest.empty() ||
        query->limit > DeadLetterQuery::kLimitMax) {
      return wrong(name, value,
                   "is not a number from 0 to " + std::to_string(DeadLetterQuery::kLimitMax));
    }
  } else if (name == "counts") {
    if (value != "true" && value != "false") return wrong(name, value, "is neither true nor false");
    query->counts = value == "true";
  } else {
    return user_error(name +
                      ": is not a parameter; there are reason, view, source, after, limit, "
                      "counts");
  }
  return {};
}

}  // namespace

Result<DeadLetterQuery> parse_dead_letter_query(const std::map<std::string, std::string>& params) {
  DeadLetterQuery query;
  for (const auto& [name, value] : params) {
    if (auto set = set_parameter(name, value, &query); !set) return set.error();
  }
  if (!params.contains("counts")) query.counts = query.after.empty();
  return query;
}

Result<DeadLetterPage> read_dead_letters(LetterFiles& files, const std::string& job_name, JobId job,
                                         const DeadLetterQuery& query) {
  std::optional<Position> after;
  if (!query.after.empty() && !parse_token(query.after, &after.emplace())) {
    return wrong("after", query.after, "is not the `next` of an answer");
  }
  auto partitions = find_files(files, letter_directory_of(job_name, job.value));
  if (!partitions) return partitions.error();
  DeadLetterPage page;
  PageBuilder builder(query, &page);
  std::map<std::tuple<std::string, BadReason, std::string>, uint64_t> counts;
  bool full = query.limit == 0;
  for (const auto& [partition, paths] : *partitions) {
    const auto source = source_of(files, paths);
    if (!source) return source.error();
    if (query.source && *source != *query.source) continue;
    if (query.counts) {
      auto counted = count(PartitionScan(&files, paths), query, *source, &counts);
      if (!counted) return counted.error();
    }
    if (full || (after && partition < after->source_partition)) continue;
    PartitionScan scan(&files, paths);
    if (after && partition == after->source_partition) {
      if (auto sought = scan.seek_behind(after->key); !sought) return sought.error();
    }
    const auto room = builder.add(std::move(scan));
    if (!room) return room.error();
    full = !*room;
    if (full && !query.counts) break;
  }
  for (const auto& [what, letters] : counts) {
    page.counts.push_back({std::get<0>(what), std::get<1>(what), std::get<2>(what), letters});
  }
  return page;
}

Result<DeadLetterPage> read_dead_letters(const std::string& root, const std::string& job_name,
                                         JobId job, const DeadLetterQuery& query) {
  return read_dead_letters(*letter_directory(root), job_name, job, query);
}

std::string to_json(const DeadLetterPage& page, const DeadLetterQuery& query) {
  std::string out = "{\"dead_letters\":[";
  const char* comma = "";
  for (const DeadLetter& letter : page.letters) {
    out += std::exchange(comma, ",");
    out += '{';
    append_letter_json(letter, &out);
    out += '}';
  }
  out += "],\"next\":";
  page.next.empty() ? void(out += "null") : append_json_string(page.next, &out);
  if (query.counts) {
    out += ",\"counts\":[";
    comma = "";
    for (const DeadLetterCount& count : page.counts) {
      out += std::exchange(comma, ",");
      out += "{\"source\":";
      append_json_string(count.source, &out);
      out += std::string(",\"reason\":\"") + reason_name(count.reason) + "\",\"view\":";
      append_json_string(count.view, &out);
      out += ",\"count\":" + std::to_string(count.letters) + "}";
    }
    out += ']';
  }
  return out + "}";
}

}  // namespace tidemill
