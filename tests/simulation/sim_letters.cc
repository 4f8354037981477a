#include "tests/simulation/sim_letters.h"

#include "shared/dead_letter/dead_letter_query.h"
#include "shared/dead_letter/letter_scan.h"
#include "tests/simulation/sim_job.h"

namespace tidemill::test {
namespace {

constexpr double kFailedWrites = 0.03;
constexpr double kCrashes = 0.02;  // of writes
constexpr uint64_t kCrashesMax = 1;

std::string describe(uint32_t source_partition, uint64_t offset, const std::string& view) {
  return "dead letter of source partition " + std::to_string(source_partition) + ", offset " +
         std::to_string(offset) + ", view '" + view + "' ";
}

}  // namespace

// The shared files, knowing which process writes.
class SimLetters::FilesOfProcess : public LetterFiles {
 public:
  FilesOfProcess(SimLetters* letters, SimProcessId process)
      : letters_(letters), process_(process) {}

  Result<std::vector<std::string>> list(const std::string& directory) override {
    return shared().list(directory);
  }
  Result<uint64_t> size(const std::string& path) override { return shared().size(path); }
  Result<size_t> read(const std::string& path, uint64_t offset, std::span<char> into) override {
    return shared().read(path, offset, into);
  }
  Status sync(const std::string& path) override { return shared().sync(path); }
  std::string full_path(const std::string& path) const override {
    return letters_->files_->full_path(path);
  }
  Result<std::unique_ptr<LetterFile>> open(const std::string& path) override {
    auto file = shared().open(path);
    if (!file) return file;
    return std::unique_ptr<LetterFile>(std::make_unique<Written>(this, std::move(file).value()));
  }

 private:
  class Written : public LetterFile {
   public:
    Written(FilesOfProcess* of, std::unique_ptr<LetterFile> file)
        : letters_(of->letters_), process_(of->process_), file_(std::move(file)) {}
    uint64_t size() const override { return file_->size(); }
    Status write(uint64_t offset, std::string_view bytes) override {
      letters_->files_->set_tear(
          [this](const std::string&, size_t n) { return letters_->bytes_through(process_, n); });
      const Status written = file_->write(offset, bytes);
      letters_->files_->set_tear({});
      return written;
    }

   private:
    SimLetters* letters_;
    SimProcessId process_;
    std::unique_ptr<LetterFile> file_;
  };

  MemoryLetterFiles& shared() { return *letters_->files_; }

  SimLetters* letters_;
  SimProcessId process_;
};

SimLetters::SimLetters(uint64_t seed, std::function<void(SimProcessId)> crash)
    : crash_(std::move(crash)), random_(seed * 2 + 0x6c657474) {}

void SimLetters::set_truth(const Truth& truth, size_t source_partitions) {
  wanted_.resize(source_partitions);
  missing_.resize(source_partitions);
  for (const auto& [s, offset] : truth.malformed) {
    wanted_[s][{offset, ""}] = BadReason::kUnparsable;
  }
  for (const FoldEvent& e : truth.events) {
    if (fails_in_view(e)) {
      wanted_[e.source_partition][{e.offset, kFallibleView}] = BadReason::kExpression;
    }
  }
  for (size_t s = 0; s < source_partitions; ++s) {
    for (const auto& [key, reason] : wanted_[s]) missing_[s].insert(key);
  }
}

void SimLetters::set_job(const std::string& name) {
  job_ = name;
  ++job_id_;
  for (auto& missing : missing_) missing.clear();
}

std::shared_ptr<DeadLetterStorage> SimLetters::storage_of(SimProcessId process) {
  return std::make_shared<FiledDeadLetters>(std::make_shared<FilesOfProcess>(this, process));
}

size_t SimLetters::bytes_through(SimProcessId process, size_t bytes) {
  if (!faults_) return bytes;
  const double fate = static_cast<double>(random_.below(1'000'000)) / 1e6;
  if (fate >= kFailedWrites + kCrashes) return bytes;
  const size_t through = random_.below(bytes + 1);
  if (fate < kCrashes && crashes_ < kCrashesMax) {
    ++crashes_;
    crash_(process);
  } else {
    ++failed_writes_;
  }
  return through;
}

Status SimLetters::find_durable(uint32_t source_partition) {
  const auto durable = files_->durable();
  const std::string directory = letter_directory_of(job_, job_id_);
  std::vector<std::string> paths;
  const auto names = durable->list(directory);
  for (const std::string& text : *names) {
    LetterFileName name;
    if (parse_file_name(text, &name) && name.source_partition == source_partition) {
      paths.push_back(directory + "/" + text);
    }
  }
  PartitionScan scan(durable.get(), paths);
  for (;;) {
    const auto found = scan.next();
    if (!found) return found.error();
    if (!*found) return {};
    missing_[source_partition].erase({scan.head().key.offset, scan.head().key.view});
  }
}

std::string SimLetters::check_mark(uint32_t source_partition, uint64_t offset) {
  auto& missing = missing_[source_partition];
  if (missing.empty() || missing.begin()->first >= offset) return {};
  if (const Status found = find_durable(source_partition); !found) return found.error().message();
  if (missing.empty() || missing.begin()->first >= offset) return {};
  return "V is at " + std::to_string(offset) + ", but the " +
         describe(source_partition, missing.begin()->first, missing.begin()->second) +
         "is not durable";
}

std::string SimLetters::check_counts(const nlohmann::json& source) {
  const auto s = source["partition"].get<uint32_t>();
  std::map<std::pair<std::string, std::string>, uint64_t> want, have;
  for (const auto& [key, reason] : wanted_[s]) ++want[{reason_name(reason), key.second}];
  for (const auto& count : source["dead_letters"]) {
    have[{count["reason"], count["view"]}] += count["records"].get<uint64_t>();
  }
  if (have == want) return {};
  return "the reader of source partition " + std::to_string(s) + " counts dead letters " +
         source["dead_letters"].dump();
}

std::string SimLetters::check_end(const nlohmann::json& job) {
  DeadLetterQuery query;
  query.limit = 50;
  auto wanted = wanted_;
  do {
    const auto page = read_dead_letters(*files_, job_, JobId{job_id_}, query);
    if (!page) return page.error().message();
    for (const DeadLetter& letter : page->letters) {
      const uint32_t s = letter.source_partition.value;
      const std::string what = describe(s, letter.offset, letter.view);
      const auto found = wanted.at(s).find({letter.offset, letter.view});
      if (found == wanted[s].end()) return what + "is one too many";
      if (letter.source != "transactions" || letter.partition != s ||
          letter.reason != found->second || letter.message.empty()) {
        return what + "says something else than it should";
      }
      wanted[s].erase(found);
    }
    query.after = page->next;
  } while (!query.after.empty());
  const bool from_the_beginning = job_id_ == 1;
  for (uint32_t s = 0; s < wanted.size() && from_the_beginning; ++s) {
    if (!wanted[s].empty()) {
      return describe(s, wanted[s].begin()->first.first, wanted[s].begin()->first.second) +
             "is missing";
    }
  }
  if (!from_the_beginning) return {};
  for (const auto& source : job["sources"]) {
    if (std::string wrong = check_counts(source); !wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace tidemill::test
