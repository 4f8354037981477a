// What parsing alone costs: reads each NDJSON file of card transactions from its start to its end,
// as a worker reads it, and drops what it reads. Prints one line of JSON.
//   parse_only_bench FILE...
#include <sys/resource.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "shared/source/source_cursor.h"
#include "shared/source/transaction_generator.h"

namespace tidemill {
namespace {

constexpr size_t kBatchRecords = 1 << 16;
constexpr size_t kBatchBytes = 8 << 20;

[[noreturn]] void fail(const Error& error) {
  std::fprintf(stderr, "parse_only_bench: %s\n", error.message().c_str());
  std::exit(1);
}

proto::Source transactions(int count, char** paths) {
  proto::Source source;
  source.set_name("transactions");
  for (const proto::Field& field : transaction_schema()) *source.add_schema() = field;
  source.set_event_time_field(1);
  source.mutable_files()->set_format(proto::FilesInput::NDJSON);
  for (int i = 0; i < count; ++i) source.mutable_files()->add_paths(paths[i]);
  return source;
}

struct Read {
  uint64_t records = 0;
  uint64_t bad_records = 0;
  uint64_t bytes = 0;
};

void read_to_end(const proto::Source& source, uint32_t index, Read* read) {
  auto cursor = SourceCursor::open(source, index, 0, {});
  if (!cursor.ok()) fail(cursor.error());
  EventBatch batch;
  do {
    const Status status = (*cursor)->read(kBatchRecords, kBatchBytes, &batch);
    if (!status.ok()) fail(status.error());
    read->records += batch.rows();
    read->bad_records += batch.bad.size();
    read->bytes += batch.end_offset - batch.begin_offset;
  } while (!batch.finished);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int run(int count, char** paths) {
  const proto::Source source = transactions(count, paths);
  const auto began = std::chrono::steady_clock::now();
  const double cpu_before = cpu_seconds();
  Read read;
  for (int i = 0; i < count; ++i) read_to_end(source, static_cast<uint32_t>(i), &read);
  const double cpu = cpu_seconds() - cpu_before;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(R"({"records": %llu, "bad_records": %llu, "bytes": %llu, "seconds": %.3f, )"
              R"("cpu_seconds": %.3f, "records_per_second": %.0f, "records_per_cpu_second": %.0f})"
              "\n",
              static_cast<unsigned long long>(read.records),
              static_cast<unsigned long long>(read.bad_records),
              static_cast<unsigned long long>(read.bytes), took.count(), cpu,
              static_cast<double>(read.records) / took.count(),
              static_cast<double>(read.records) / cpu);
  return 0;
}

}  // namespace
}  // namespace tidemill

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: parse_only_bench FILE...\n");
    return 2;
  }
  return tidemill::run(argc - 1, argv + 1);
}
