// KafkaCursor: the records of one partition of a topic. A record of the log is one event, whatever
// newlines its value holds; a record without a value is a tombstone. The log's own timestamps go
// with the events, and bound how far in the future they may be dated.
//
// What the batch's events point into are copies, in the batch; the records themselves are kept
// until the next read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/kafka/partition_reader.h"
#include "shared/source/message_parser.h"
#include "shared/source/source_cursor.h"

namespace tidemill {

class KafkaCursor : public SourceCursor {
 public:
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source, uint32_t partition,
                                                    uint64_t offset, const RecordIdentity& last);

  Status read(size_t max_records, size_t max_bytes, EventBatch* batch) override;
  std::string record_bytes(const EventBatch& batch, size_t row, uint64_t* size) override;
  LogInfo info() const override;
  void commit(uint64_t offset) override;

 private:
  KafkaCursor(const proto::Source& source, uint64_t offset, uint64_t from)
      : source_(source), offset_(offset), reached_(from) {}

  // Lets the parser get what it needs for the records; those that have to wait for it are given
  // back, to be read again. A failure is of the read as a whole.
  Status prepare();
  void parse(const KafkaRecord& record, char** text, BatchWriter* writer, EventBatch* batch);

  const proto::Source source_;
  uint64_t offset_;   // 0 until something was read, wherever the log begins
  uint64_t reached_;  // where the log begins, until something was read
  std::unique_ptr<MessageParser> parser_;
  std::unique_ptr<KafkaPartitionReader> reader_;
  KafkaRecords records_;                  // of the last read
  std::vector<std::string_view> values_;  // of those that can be parsed
};

}  // namespace tidemill
