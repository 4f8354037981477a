#include "bench/micro/inputs.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "bench/micro/harness.h"
#include "shared/base/hash.h"
#include "shared/columns/row_block_writer.h"
#include "shared/plan/yaml_job.h"
#include "shared/source/source_cursor.h"
#include "shared/source/transaction_writer.h"

namespace tidemill::micro {
namespace {

constexpr size_t kAllBytes = size_t{1} << 30;

constexpr const char* kCardViews = R"(
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [1h, 1d, 7d, 30d]}
      - {function: sum, column: amount, windows: [1h, 1d, 7d, 30d]}
      - {function: mean, column: amount, windows: [1h, 1d, 7d, 30d]}
      - {function: min, column: amount, windows: [1h, 1d, 7d, 30d]}
      - {function: max, column: amount, windows: [1h, 1d, 7d, 30d]}
  terminal_risk:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {name: nb_tx, function: count, windows: [1d, 7d, 30d], offset: 7d}
      - {name: risk, function: mean, column: cast(is_fraud as double), windows: [1d, 7d, 30d], offset: 7d}
)";

std::string text_of(proto::FilesInput::Format format, uint64_t events) {
  const auto generator = check(TransactionGenerator::create(transactions(events).generator(), 0));
  TransactionWriter writer(generator);
  const bool csv = format == proto::FilesInput::CSV;
  std::string text = csv ? TransactionWriter::csv_header() : "";
  for (uint64_t offset = 0; offset < events; ++offset) {
    csv ? writer.append_csv(offset, &text) : writer.append_json(offset, &text);
  }
  return text;
}

}  // namespace

proto::Source transactions(uint64_t events) {
  proto::Source source;
  source.set_name("transactions");
  for (const proto::Field& field : transaction_schema()) *source.add_schema() = field;
  source.set_event_time_field(1);
  proto::GeneratorInput* input = source.mutable_generator();
  input->set_seed(1);
  input->set_partitions(1);
  input->set_events(events);
  input->set_customers(100'000);
  input->set_terminals(10'000);
  input->set_zipf_exponent(0.8);
  input->set_start_time_us(kStart);
  input->set_events_per_second(100);
  input->set_fraud_share(0.01);
  return source;
}

EventBatch transaction_batch(uint64_t events) {
  const auto cursor = check(SourceCursor::open(transactions(events), 0, 0, {}));
  EventBatch batch;
  check(cursor->read(events, kAllBytes, &batch));
  ASSERT(batch.rows() == events);
  return batch;
}

TransactionFile::TransactionFile(proto::FilesInput::Format format, uint64_t events, bool compressed)
    : format_(format) {
  std::string name = (std::filesystem::temp_directory_path() / "tidemill_bench_XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  if (fd < 0) fail(fatal_error("no file can be made as " + name));
  const std::string text = text_of(format, events);
  std::FILE* file = ::fdopen(fd, "w");
  const size_t written = std::fwrite(text.data(), 1, text.size(), file);
  if (std::fclose(file) != 0 || written != text.size()) {
    fail(fatal_error("cannot write " + name));
  }
  path_ = name;
  if (!compressed) return;
  if (std::system(("gzip -q " + name).c_str()) != 0) fail(fatal_error("gzip failed"));
  path_ += ".gz";
}

TransactionFile::~TransactionFile() { ::unlink(path_.c_str()); }

proto::Source TransactionFile::source() const {
  proto::Source source = transactions(0);
  source.mutable_files()->set_format(format_);
  source.mutable_files()->add_paths(path_);
  return source;
}

std::shared_ptr<const Plan> plan_of(const std::string& yaml) {
  const CompiledJob job = compile_job(yaml, "/");
  if (!job.errors.empty()) fail(user_error(to_string(job.errors.front(), "job")));
  return check(Plan::from_proto(job.plan));
}

std::shared_ptr<const Plan> card_job(const TransactionFile& file) {
  return plan_of(R"(job: cards
key_partitions: 128
sources:
  transactions:
    schema: {transaction_id: int64, event_time: timestamp, customer_id: string,
             terminal_id: string, amount: double, is_fraud: bool}
    event_time: event_time
    stream: {files: )" +
                 file.path() + ", format: ndjson}" + kCardViews);
}

std::shared_ptr<const Plan> amounts_job(const std::string& aggregations) {
  auto plan = plan_of(R"(job: amounts
key_partitions: 128
sources:
  transactions:
    stream: {generator: {events: 1}}
views:
  customer:
    source: transactions
    entity: [customer_id]
    max_rows: 100000000
    aggregations:
)" + aggregations);
  ASSERT(plan->tables()->size() == 1 && (*plan->tables())[0].columns.size() == 1);
  return plan;
}

void AmountRows::add(std::string_view key, TimeUs time, double amount) {
  keys_.emplace_back(key);
  times_.push_back(time);
  amounts_.nulls.push_back(0);
  amounts_.doubles.push_back(amount);
}

Buffer AmountRows::take() {
  amounts_.type = ColumnType::kDouble;
  std::vector<uint32_t> rows(times_.size());
  std::iota(rows.begin(), rows.end(), 0u);
  std::vector<uint64_t> hashes;
  for (const std::string& key : keys_) hashes.push_back(hash_entity_key(key, seed_));
  const std::vector<std::string_view> keys(keys_.begin(), keys_.end());
  const Column* columns[] = {&amounts_};
  ByteWriter out;
  write_row_block(0, {rows, hashes, times_, keys, columns, {}}, &out);
  keys_.clear();
  times_.clear();
  amounts_.clear();
  return Buffer(out.take());
}

}  // namespace tidemill::micro
