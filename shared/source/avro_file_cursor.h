// AvroFileCursor: the records of an Avro object container file. The offset of a record is the byte
// at which its block begins, times 2^20, and its number in the block: docs/formats/avro.md.
//
// A record whose bytes are no data of the schema takes the rest of its block with it, as nothing
// says where the next one begins; reading goes on at the next block.
// Failure: as FileCursor; a file that is cut off stands still at its end and is tried again.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/source/avro_container.h"
#include "shared/source/file_identity.h"
#include "shared/source/message_decoder.h"
#include "shared/source/source_cursor.h"

namespace tidemill {

class AvroFileCursor : public SourceCursor {
 public:
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source, uint32_t index,
                                                    uint64_t offset, const RecordIdentity& last);

  Status read(size_t max_records, size_t max_bytes, EventBatch* batch) override;
  std::string record_bytes(const EventBatch& batch, size_t row, uint64_t* size) override;
  LogInfo info() const override;

 private:
  AvroFileCursor(const proto::Source& source, std::string path, FoundFile file)
      : source_(source), path_(std::move(path)), text_(std::move(file.text)) {}

  Status start(uint64_t offset, const RecordIdentity& last);
  Status look();
  Status check_last(const RecordIdentity& last);
  // Goes to the record at `offset`.
  Status seek(uint64_t offset);
  // Has a block with a record to read, or the file is at its end.
  Status next_block();
  Status read_records(size_t max_bytes, uint64_t limit, BatchWriter* writer, EventBatch* batch);
  void read_record(BatchWriter* writer, EventBatch* batch);
  // Where the block has no record but still something to say.
  void close_block(BatchWriter* writer);
  bool in_block() const { return block_.data != nullptr; }
  bool at_end() const { return !in_block() && next_ == text_->end(); }
  // Of the next record, once it is known where it is.
  uint64_t position() const;
  RecordIdentity identity_at(uint64_t offset, size_t begin) const;
  Error changed(const std::string& what) const;

  struct Extent {
    uint64_t offset = 0;
    std::string_view bytes;
  };

  const proto::Source source_;
  const std::string path_;
  std::unique_ptr<FileText> text_;
  AvroHeader header_;
  std::unique_ptr<MessageDecoder> decoder_;
  TimeUs latest_event_time_ = kMaxTime;
  uint64_t offset_ = 0;    // 0 until something was read
  uint64_t end_seen_ = 0;  // of the file
  AvroBlock block_;        // data is null: none
  uint64_t next_ = 0;      // where the next block begins
  uint64_t index_ = 0;     // of the next record in the block
  size_t at_ = 0;          // where it begins there
  RecordIdentity last_;
  std::vector<Extent> rows_;  // of the last read
  std::vector<std::shared_ptr<const std::string>> held_;
};

}  // namespace tidemill
