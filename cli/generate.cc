#include "cli/generate.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/generate_kafka.h"
#include "cli/progress.h"
#include "shared/base/result.h"
#include "shared/base/time.h"
#include "shared/source/transaction_writer.h"

namespace tidemill {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr size_t kRoomForRecord = 4096;

// A file that takes its name when it is complete.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(partial_.c_str());
  }

  Status open() {
    fd_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return fd_ < 0 ? failure("create") : Status();
  }
  Status write(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      const ssize_t wrote = ::write(fd_, bytes.data() + at, bytes.size() - at);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return failure("write");
      at += static_cast<size_t>(wrote);
    }
    return {};
  }
  Status complete() {
    const int fd = std::exchange(fd_, -1);
    if (::close(fd) != 0 || ::rename(partial_.c_str(), path_.c_str()) != 0) {
      Status failed = failure("finish");
      ::unlink(partial_.c_str());
      return failed;
    }
    return {};
  }

 private:
  Status failure(const char* doing) const {
    return user_error(path_ + ": cannot " + doing + ": " + std::strerror(errno));
  }

  std::string path_;
  std::string partial_;
  int fd_ = -1;
};

Result<proto::GeneratorInput> to_input(const GenerateOptions& options) {
  if (options.events == 0) return user_error("events is 0; write how many a file shall have");
  proto::GeneratorInput input;
  TimeUs start = 0;
  if (!parse_timestamp(options.start_time, &start)) {
    return user_error("start_time is '" + options.start_time +
                      "'; write a time such as 2018-04-01T00:00:00Z");
  }
  const auto late_by = parse_duration(options.late_by);
  if (!late_by.ok()) return late_by.error().within("late_by");
  input.set_seed(options.seed);
  input.set_partitions(options.partitions);
  input.set_events(options.events);
  input.set_customers(options.customers);
  input.set_terminals(options.terminals);
  input.set_zipf_exponent(options.zipf_exponent);
  input.set_start_time_us(start);
  input.set_events_per_second(options.events_per_second);
  input.set_late_share(options.late_share);
  input.set_late_by_us(*late_by);
  input.set_tie_share(options.tie_share);
  input.set_burst_share(options.burst_share);
  input.set_burst_factor(options.burst_factor);
  input.set_malformed_share(options.malformed_share);
  input.set_fraud_share(options.fraud_share);
  return input;
}

// Fills in what depends on where the events go.
Status complete_options(GenerateOptions* options) {
  const bool files = options->kafka.empty();
  const std::string json = files ? "ndjson" : "json";
  if (options->format.empty()) options->format = files ? "csv" : "json";
  if (options->format != "csv" && options->format != json) {
    return user_error("format is '" + options->format + "'; it is csv or " + json);
  }
  if (files) {
    return options->topic.empty() ? Status()
                                  : user_error(
                                        "--topic is given without --kafka; write the "
                                        "brokers as --kafka HOST:PORT");
  }
  return options->topic.empty() ? user_error("--kafka is given without --topic") : Status();
}

Status write_partition(const GenerateOptions& options, const proto::GeneratorInput& input,
                       uint32_t partition, Progress* progress) {
  const auto generator = TransactionGenerator::create(input, partition);
  if (!generator.ok()) return generator.error();
  const bool csv = options.format == "csv";
  NewFile file((std::filesystem::path(options.out) /
                ("transactions-" + std::to_string(partition) + "." + options.format))
                   .string());
  Status status = file.open();
  if (!status.ok()) return status;
  TransactionWriter writer(*generator);
  std::string block;
  block.reserve(kBlockBytes + kRoomForRecord);
  if (csv) block = TransactionWriter::csv_header();
  for (uint64_t offset = 0; offset < generator->end(); ++offset) {
    csv ? writer.append_csv(offset, &block) : writer.append_json(offset, &block);
    if (block.size() < kBlockBytes) continue;
    status = file.write(block);
    if (!status.ok()) return status;
    block.clear();
    progress->update(partition * options.events + offset);
  }
  status = file.write(block);
  return status.ok() ? file.complete() : status;
}

Status generate_files(const GenerateOptions& options, const proto::GeneratorInput& input) {
  const auto checked = TransactionGenerator::create(input, 0);
  if (!checked.ok()) return checked.error();
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) return user_error(options.out + ": cannot create the directory: " + error.message());
  const uint64_t total = options.events * options.partitions;
  Progress progress("generate", "events", total, !options.quiet);
  for (uint32_t partition = 0; partition < options.partitions; ++partition) {
    Status status = write_partition(options, input, partition, &progress);
    if (!status.ok()) return status;
    progress.update((partition + 1) * options.events);
  }
  return {};
}

std::string summary(const GenerateOptions& options) {
  const std::string wrote = "wrote " + std::to_string(options.events * options.partitions);
  if (!options.kafka.empty()) {
    return wrote + " events to " + std::to_string(options.partitions) + " partitions of topic '" +
           options.topic + "'";
  }
  return wrote + " events to " + std::to_string(options.partitions) + " " + options.format +
         " files in " + options.out;
}

}  // namespace

int run_generate(const GenerateOptions& asked) {
  GenerateOptions options = asked;
  Status status = complete_options(&options);
  if (status.ok()) {
    const auto input = to_input(options);
    status = !input.ok()             ? Status(input.error())
             : options.kafka.empty() ? generate_files(options, *input)
                                     : generate_to_kafka(options, *input);
  }
  if (!status.ok()) {
    std::fprintf(stderr, "tidemill generate: %s\n", status.error().message().c_str());
    return 1;
  }
  if (!options.quiet) std::printf("%s\n", summary(options).c_str());
  return 0;
}

}  // namespace tidemill
