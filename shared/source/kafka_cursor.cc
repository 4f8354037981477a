#include "shared/source/kafka_cursor.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tidemill {
namespace {

constexpr int64_t kMicrosPerMilli = 1000;
// Behind each message: what its format puts there, and to tell it from the next.
constexpr size_t kGap = 1;

// Of the record, in microseconds; kMaxTime if it has none, or none that can be.
TimeUs record_time(const KafkaRecord& record) {
  if (record.timestamp_ms < 0 || record.timestamp_ms > kMaxTime / kMicrosPerMilli) return kMaxTime;
  return record.timestamp_ms * kMicrosPerMilli;
}

}  // namespace

Result<std::unique_ptr<SourceCursor>> KafkaCursor::open(const proto::Source& source,
                                                        uint32_t partition, uint64_t offset,
                                                        const RecordIdentity& last) {
  const proto::KafkaInput& input = source.kafka();
  if (partition >= static_cast<uint32_t>(input.start_offsets_size())) {
    return user_error("partition " + std::to_string(partition) + " of topic '" + input.topic() +
                      "' has no start offset, only the first " +
                      std::to_string(input.start_offsets_size()) + " have");
  }
  auto parser = make_message_parser(source);
  if (!parser.ok()) return parser.error();
  const uint64_t from = offset > 0 ? offset : input.start_offsets(static_cast<int>(partition));
  auto reader = KafkaPartitionReader::open(input, partition, from, last);
  if (!reader.ok()) return reader.error();
  std::unique_ptr<KafkaCursor> cursor(new KafkaCursor(source, offset, from));
  cursor->parser_ = std::move(*parser);
  cursor->reader_ = std::move(*reader);
  return std::unique_ptr<SourceCursor>(std::move(cursor));
}

void KafkaCursor::parse(const KafkaRecord& record, char** text, BatchWriter* writer,
                        EventBatch* batch) {
  const TimeUs time = record_time(record);
  const size_t rows = writer->rows();
  if (record.value.size() > kMaxRecordBytes) {
    return writer->bad(record.offset, BadReason::kOversized,
                       "the record's value is larger than 1 MB; write smaller records",
                       record.value);
  }
  std::memcpy(*text, record.value.data(), record.value.size());
  parser_->set_latest_event_time(saturating_add(time, source_.max_future_us()));
  parser_->parse_message({*text, record.value.size(), record.offset, true}, writer);
  *text += record.value.size() + kGap;
  if (writer->rows() > rows) {
    const TimeUs event_time = batch->columns[source_.event_time_field()].ints[rows];
    batch->record_times.push_back(time == kMaxTime ? event_time : time);
    return;
  }
  // As it is in the log: escapes may have been undone, and a newline left out.
  batch->bad.back().bytes = record.value.substr(0, kBadRecordBytes);
  batch->bad.back().size = record.value.size();
}

Status KafkaCursor::prepare() {
  values_.clear();
  for (const KafkaRecord& record : records_.records) {
    if (record.has_value && record.value.size() <= kMaxRecordBytes) values_.push_back(record.value);
  }
  const auto ready = parser_->prepare(values_);
  if (!ready.ok()) return ready.error();
  if (*ready == values_.size()) return {};
  const auto first = std::find_if(records_.records.begin(), records_.records.end(),
                                  [&](const KafkaRecord& record) {
                                    return record.value.data() == values_[*ready].data() &&
                                           record.value.size() == values_[*ready].size();
                                  });
  reader_->give_back(static_cast<size_t>(first - records_.records.begin()), &records_);
  return {};
}

Status KafkaCursor::read(size_t max_records, size_t max_bytes, EventBatch* batch) {
  BatchWriter writer(source_.schema(), offset_, max_records, batch);
  const uint64_t limit = limit_at(offset_);
  if (limit <= reached_) {  // nothing is before where the log begins
    offset_ = limit;
    writer.finish(offset_, false);
    return {};
  }
  reader_->read_until(limit);
  Status read = reader_->read(max_records, max_bytes, &records_);
  if (!read.ok()) return read;
  if (Status prepared = prepare(); !prepared.ok()) return prepared;
  const size_t room = records_.value_bytes + kGap * records_.records.size() + kWindowPadding;
  if (batch->text.size() < room) batch->text.resize(room);
  char* text = batch->text.data();
  for (const KafkaRecord& record : records_.records) {
    if (!record.has_value) {
      ++batch->tombstones;
      continue;
    }
    parse(record, &text, &writer, batch);
  }
  // Where nothing was confirmed yet the position stays 0, though the log may begin elsewhere.
  const bool moved = !records_.records.empty() || records_.at_end || offset_ != 0;
  if (moved) offset_ = reached_ = records_.end_offset;
  writer.finish(offset_, false);
  batch->at_end = records_.at_end;
  batch->last = records_.last;
  return {};
}

std::string KafkaCursor::record_bytes(const EventBatch& batch, size_t row, uint64_t* size) {
  const uint64_t offset = batch.offsets[row];
  const auto record =
      std::lower_bound(records_.records.begin(), records_.records.end(), offset,
                       [](const KafkaRecord& r, uint64_t wanted) { return r.offset < wanted; });
  if (record == records_.records.end() || record->offset != offset) {
    *size = 0;
    return {};
  }
  *size = record->value.size();
  return std::string(record->value.substr(0, kBadRecordBytes));
}

SourceCursor::LogInfo KafkaCursor::info() const {
  return {reader_->partitions(), reader_->log_end_offset()};
}

void KafkaCursor::commit(uint64_t offset) { reader_->commit(offset); }

}  // namespace tidemill
