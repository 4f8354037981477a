#include "shared/source/avro_file_cursor.h"

#include <algorithm>
#include <utility>

#include "shared/base/hash.h"
#include "shared/source/avro_input.h"
#include "shared/source/record_parser.h"

namespace tidemill {
namespace {

constexpr size_t kLastHeadBytes = 256;  // of the last record that its hash is of
constexpr uint64_t kIndexMask = kMaxAvroBlockRecords;

uint64_t offset_of(uint64_t block, uint64_t index) { return block << kAvroIndexBits | index; }

}  // namespace

Result<std::unique_ptr<SourceCursor>> AvroFileCursor::open(const proto::Source& source,
                                                           uint32_t index, uint64_t offset,
                                                           const RecordIdentity& last) {
  auto found = find_file(source.files(), index);
  if (!found.ok()) return found.error();
  std::unique_ptr<AvroFileCursor> cursor(
      new AvroFileCursor(source, source.files().paths(static_cast<int>(index)), std::move(*found)));
  if (Status started = cursor->start(offset, last); !started.ok()) return started.error();
  return std::unique_ptr<SourceCursor>(std::move(cursor));
}

Error AvroFileCursor::changed(const std::string& what) const {
  return source_changed_error(path_ + ": " + what +
                              "; the file is not the one that was read before: put it back, or "
                              "submit the job anew");
}

Status AvroFileCursor::look() {
  if (Status refreshed = text_->refresh(); !refreshed.ok()) return refreshed;
  if (!text_->end_known()) {
    return user_error(path_ + ": Avro files compress their own blocks; decompress it first");
  }
  const uint64_t end = text_->end();
  if (end < std::max(end_seen_, offset_ >> kAvroIndexBits)) {
    return changed("the file shrank to " + std::to_string(end) + " bytes");
  }
  end_seen_ = end;
  return {};
}

Status AvroFileCursor::start(uint64_t offset, const RecordIdentity& last) {
  offset_ = offset;
  if (Status looked = look(); !looked.ok()) return looked;
  auto header = read_avro_header(text_.get());
  if (!header.ok()) return header.error().within(path_);
  header_ = std::move(*header);
  auto decoder = make_avro_decoder(header_.schema, source_);
  if (!decoder.ok()) return decoder.error().within(path_);
  decoder_ = std::move(*decoder);
  if (source_.not_after_us() != 0) latest_event_time_ = source_.not_after_us();
  next_ = header_.size;
  if (offset == 0) return {};
  if (Status checked = check_last(last); !checked.ok()) return checked;
  return seek(offset);
}

Status AvroFileCursor::check_last(const RecordIdentity& last) {
  if (last == RecordIdentity{} || last.offset >= offset_) return {};
  if (Status found = seek(last.offset); !found.ok()) return found;
  if (identity_at(last.offset, at_) == last) {
    last_ = last;
    return {};
  }
  return changed("the record at offset " + std::to_string(last.offset) +
                 " is not the one that was read there");
}

Status AvroFileCursor::seek(uint64_t offset) {
  const uint64_t begin = offset >> kAvroIndexBits;
  const uint64_t index = offset & kIndexMask;
  const Error missing = changed("no record starts at offset " + std::to_string(offset));
  if (!in_block() || block_.begin != begin || index_ > index) {
    const auto begins = avro_block_begins(text_.get(), header_, begin);
    if (!begins.ok()) return begins.error();
    if (!*begins) return missing;
    block_ = {};
    next_ = begin;
    index_ = at_ = 0;
    if (begin == text_->end()) return index == 0 ? Status() : missing;
    auto block = read_avro_block(text_.get(), header_, begin);
    if (!block.ok()) return block.error().within(path_);
    block_ = std::move(*block);
    next_ = block_.next;
  }
  if (index > block_.records) return missing;
  for (; index_ < index; ++index_) {
    AvroInput record(*header_.schema, std::string_view(*block_.data).substr(at_));
    record.skip(header_.schema->root_number());
    if (!record.ok()) return missing;
    at_ += record.used();
  }
  return {};
}

RecordIdentity AvroFileCursor::identity_at(uint64_t offset, size_t begin) const {
  return {offset, hash_bytes(std::string_view(*block_.data).substr(begin, kLastHeadBytes), 0)};
}

uint64_t AvroFileCursor::position() const {
  return in_block() ? offset_of(block_.begin, index_) : offset_of(next_, 0);
}

Status AvroFileCursor::next_block() {
  while (!in_block() && next_ < text_->end()) {
    auto block = read_avro_block(text_.get(), header_, next_);
    if (!block.ok()) return block.error().within(path_);
    next_ = block->next;
    if (block->records == 0 && block->data->empty()) continue;
    block_ = std::move(*block);
    index_ = at_ = 0;
  }
  return {};
}

void AvroFileCursor::close_block(BatchWriter* writer) {
  const std::string_view rest = std::string_view(*block_.data).substr(at_);
  const uint64_t offset = offset_of(block_.begin, index_);
  if (!block_.fault.empty()) {
    writer->bad(offset, BadReason::kUnparsable,
                "the block of " + std::to_string(block_.records) + " records at byte " +
                    std::to_string(block_.begin) + " cannot be read: " + block_.fault,
                {});
    last_ = identity_at(offset, at_);
  } else if (!rest.empty()) {
    writer->bad(offset, BadReason::kUnparsable,
                std::to_string(rest.size()) +
                    " bytes are behind the last record of the block at "
                    "byte " +
                    std::to_string(block_.begin),
                rest);
    last_ = identity_at(offset, at_);
  }
  block_ = {};
}

void AvroFileCursor::read_record(BatchWriter* writer, EventBatch* batch) {
  const std::string_view rest = std::string_view(*block_.data).substr(at_);
  const uint64_t offset = offset_of(block_.begin, index_);
  const size_t rows = writer->rows();
  const Decoded done =
      add_record(decoder_.get(), rest, false, offset, source_, latest_event_time_, writer);
  last_ = identity_at(offset, at_);
  if (writer->rows() > rows) rows_.push_back({offset, rest.substr(0, done.size)});
  if (done.whole) {
    ++index_;
    at_ += done.size;
    return;
  }
  const uint64_t lost = block_.records - index_ - 1;
  if (lost > 0) {
    batch->bad.back().message +=
        "; the " + std::to_string(lost) + " records behind it in its block are lost with it";
  }
  block_ = {};
}

Status AvroFileCursor::read_records(size_t max_bytes, uint64_t limit, BatchWriter* writer,
                                    EventBatch* batch) {
  size_t bytes = 0;
  while (!writer->full() && bytes < max_bytes) {
    if (Status next = next_block(); !next.ok()) return next;
    if (!in_block() || position() >= limit) return {};
    if (batch->blocks.empty() || batch->blocks.back() != block_.data) {
      batch->blocks.push_back(block_.data);
    }
    const bool has_record = index_ < block_.records && block_.fault.empty();
    const size_t before = at_;
    const size_t block_bytes = block_.data->size();
    if (has_record) read_record(writer, batch);
    bytes += (in_block() ? at_ : block_bytes) - before;
    const bool empty = in_block() && index_ == block_.records && at_ == block_.data->size();
    if (empty) {
      block_ = {};
    } else if (!has_record) {
      close_block(writer);
    }
  }
  return {};
}

Status AvroFileCursor::read(size_t max_records, size_t max_bytes, EventBatch* batch) {
  BatchWriter writer(source_.schema(), offset_, max_records, batch);
  if (Status looked = look(); !looked.ok()) return looked;
  rows_.clear();
  const uint64_t limit = limit_at(offset_);
  Status status = read_records(std::max<size_t>(max_bytes, 1), limit, &writer, batch);
  // Met again behind these records.
  if (!status.ok() && writer.records() == 0) return status;
  held_ = batch->blocks;
  const bool finished = status.ok() && at_end();
  // In front of what could not be read, or of the limit in a hole.
  offset_ = std::max(offset_, position());
  if (limit != kNoEnd && limit <= offset_) offset_ = limit;
  writer.finish(offset_, finished);
  batch->last = last_;
  return {};
}

std::string AvroFileCursor::record_bytes(const EventBatch& batch, size_t row, uint64_t* size) {
  const uint64_t offset = batch.offsets[row];
  const auto found =
      std::lower_bound(rows_.begin(), rows_.end(), offset,
                       [](const Extent& at, uint64_t wanted) { return at.offset < wanted; });
  *size = 0;
  if (found == rows_.end() || found->offset != offset) return {};
  *size = found->bytes.size();
  return std::string(found->bytes.substr(0, kBadRecordBytes));
}

SourceCursor::LogInfo AvroFileCursor::info() const {
  LogInfo info;
  info.end_offset = offset_of(end_seen_, 0);
  return info;
}

}  // namespace tidemill
