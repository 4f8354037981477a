// Records per second of one source cursor: CSV and NDJSON card transactions from a file in the page
// cache, also compressed, and the generator. Items are records, bytes are those of the text.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "shared/source/source_cursor.h"
#include "shared/source/transaction_writer.h"

namespace tidemill {
namespace {

constexpr uint64_t kEvents = 500'000;
constexpr size_t kBatchRecords = 1 << 16;
constexpr size_t kBatchBytes = 8 << 20;

proto::Source transactions() {
  proto::Source source;
  for (const proto::Field& field : transaction_schema()) *source.add_schema() = field;
  source.set_event_time_field(1);
  proto::GeneratorInput* input = source.mutable_generator();
  input->set_seed(1);
  input->set_partitions(1);
  input->set_events(kEvents);
  input->set_customers(100'000);
  input->set_terminals(10'000);
  input->set_zipf_exponent(0.8);
  input->set_start_time_us(1'522'540'800'000'000);
  input->set_events_per_second(100);
  input->set_fraud_share(0.01);
  return source;
}

// Reads the source to its end, once per iteration, into one batch.
void read_all(const proto::Source& source, benchmark::State& state) {
  EventBatch batch;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  for (auto _ : state) {
    auto cursor = SourceCursor::open(source, 0, 0, {});
    if (!cursor.ok()) return state.SkipWithError(cursor.error().message().c_str());
    do {
      const Status status = (*cursor)->read(kBatchRecords, kBatchBytes, &batch);
      if (!status.ok()) return state.SkipWithError(status.error().message().c_str());
      rows += batch.rows();
      bytes += batch.end_offset - batch.begin_offset;
    } while (!batch.finished);
  }
  state.SetItemsProcessed(static_cast<int64_t>(rows));
  if (source.has_files()) state.SetBytesProcessed(static_cast<int64_t>(bytes));
}

void read_file(proto::FilesInput::Format format, bool compressed, benchmark::State& state) {
  proto::Source source = transactions();
  const auto generator = TransactionGenerator::create(source.generator(), 0);
  TransactionWriter writer(*generator);
  const bool csv = format == proto::FilesInput::CSV;
  std::string text = csv ? TransactionWriter::csv_header() : "";
  for (uint64_t offset = 0; offset < kEvents; ++offset) {
    csv ? writer.append_csv(offset, &text) : writer.append_json(offset, &text);
  }
  char path[] = "/tmp/tidemill_source_bench_XXXXXX";
  const int fd = ::mkstemp(path);
  std::FILE* file = ::fdopen(fd, "w");
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
  std::string name = path;
  if (compressed) {
    if (std::system(("gzip -q " + name).c_str()) != 0) return state.SkipWithError("no gzip");
    name += ".gz";
  }
  source.mutable_files()->set_format(format);
  source.mutable_files()->add_paths(name);
  read_all(source, state);
  ::unlink(name.c_str());
}

void BM_ReadCsv(benchmark::State& state) { read_file(proto::FilesInput::CSV, false, state); }
void BM_ReadNdjson(benchmark::State& state) { read_file(proto::FilesInput::NDJSON, false, state); }
void BM_ReadGzipCsv(benchmark::State& state) { read_file(proto::FilesInput::CSV, true, state); }
void BM_ReadGenerator(benchmark::State& state) { read_all(transactions(), state); }

void BM_WriteCsv(benchmark::State& state) {
  const auto generator = TransactionGenerator::create(transactions().generator(), 0);
  TransactionWriter writer(*generator);
  std::string text;
  uint64_t offset = 0;
  for (auto _ : state) {
    if (text.size() > 1 << 20) text.clear();
    writer.append_csv(offset++ % kEvents, &text);
  }
  state.SetItemsProcessed(static_cast<int64_t>(offset));
}

BENCHMARK(BM_ReadCsv)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ReadNdjson)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ReadGzipCsv)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_ReadGenerator)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_WriteCsv);

}  // namespace
}  // namespace tidemill

BENCHMARK_MAIN();
