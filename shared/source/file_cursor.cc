#include "shared/source/file_cursor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "shared/base/hash.h"
#include "shared/plan/file_pattern.h"

namespace tidemill {
namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr size_t kLargestWindow = 64 << 20;
constexpr size_t kSmallestWindow = 512;
constexpr size_t kLastHeadBytes = 256;  // of the last record that its hash is of

// Makes room for a window; text once in it stays.
void reserve_window(std::string* text, size_t bytes) {
  if (text->size() < bytes + kWindowPadding) text->resize(bytes + kWindowPadding);
}

// `text` begins with a record, and ends at the one behind it: cuts off newlines and empty lines.
std::string_view without_newlines(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);  // the file's last line, or half an empty one
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<SourceCursor>> FileCursor::open(const proto::Source& source, uint32_t index,
                                                       uint64_t offset,
                                                       const RecordIdentity& last) {
  auto found = find_file(source.files(), index);
  if (!found.ok()) return found.error();
  std::unique_ptr<FileCursor> cursor(
      new FileCursor(source, source.files().paths(static_cast<int>(index)), std::move(*found)));
  Status started = cursor->start(offset, last);
  if (!started.ok()) {
    cursor->text_->note_fault(offset, started.error());
    return started.error();
  }
  return std::unique_ptr<SourceCursor>(std::move(cursor));
}

bool FileCursor::is_complete() const { return is_compressed(text_->file().path()); }

Status FileCursor::start(uint64_t offset, const RecordIdentity& last) {
  const auto format = source_.files().format();
  if (format != proto::FilesInput::CSV && format != proto::FilesInput::NDJSON) {
    return user_error(path_ + ": the format of the files is not set; it is csv, ndjson or avro");
  }
  offset_ = offset;
  Status status = look();
  final_ = !grows_;
  if (status.ok()) status = text_->known_fault(offset);
  if (status.ok()) status = make_parser();
  if (!status.ok()) return status;
  if (offset == 0) return {};
  status = check_last(last);
  if (!status.ok()) return status;
  char before = 0;
  text_->release(offset - 1);
  const auto got = text_->read(offset - 1, &before, 1);
  if (!got.ok()) return got.error();
  if (*got == 0) return shrank(text_->end());
  const bool in_records = parser_ != nullptr && offset >= header_bytes_;
  if (in_records && (before == '\n' || offset == text_->end())) return {};
  return changed("no record starts at offset " + std::to_string(offset));
}

// What was read before the offset must be what is there now.
Status FileCursor::check_last(const RecordIdentity& last) {
  if (last == RecordIdentity{} || last.offset >= offset_) return {};
  std::string head(std::min<uint64_t>(kLastHeadBytes, offset_ - last.offset), '\0');
  text_->release(last.offset);
  const auto got = text_->read(last.offset, head.data(), head.size());
  if (!got.ok()) return got.error();
  if (*got < head.size()) return shrank(text_->end());
  if (hash_bytes(head, 0) != last.hash) {
    return changed("the record at offset " + std::to_string(last.offset) +
                   " is not the one that was read there");
  }
  last_begin_ = last.offset;
  last_head_ = std::move(head);
  return {};
}

Status FileCursor::make_parser() {
  Result<std::unique_ptr<RecordParser>> parser = make_ndjson_parser(source_);
  if (source_.files().format() == proto::FilesInput::CSV) {
    std::string head(std::min<uint64_t>(kDecidingBytes, text_->end()), '\0');
    const auto got = text_->read(0, head.data(), head.size());
    if (!got.ok()) return got.error();
    head.resize(*got);
    const bool whole_line = head.find('\n') != std::string::npos || head.size() >= kDecidingBytes;
    const bool nothing = head.empty() && source_.files().follow();  // rotated before its header
    if (nothing || (grows_ && !whole_line && !final_)) {
      stalled_end_ = text_->end();
      return {};
    }
    parser = make_csv_parser(source_, head, &header_bytes_);
    if (!parser.ok()) return parser.error().within(path_);
  }
  if (!parser.ok()) return parser.error();
  parser_ = std::move(*parser);
  if (source_.not_after_us() != 0) parser_->set_latest_event_time(source_.not_after_us());
  return {};
}

Error FileCursor::changed(const std::string& what) const {
  return source_changed_error(path_ + ": " + what +
                              "; the file is not the one that was read before: put it back, or "
                              "submit the job anew");
}

Error FileCursor::shrank(uint64_t size) const {
  const uint64_t before = std::max(offset_, text_->end_known() ? end_seen_ : 0);
  return source_changed_error(
      path_ + ": the file shrank to " + std::to_string(size) +
      " bytes, but was read up to offset " + std::to_string(offset_) +
      (before > offset_ ? " and had " + std::to_string(before) + " bytes" : std::string()) +
      (grows_ ? "; rotate files by renaming them (logrotate: without copytruncate), and submit the "
                "job anew"
              : "; put the whole file back, or submit the job anew"));
}

Status FileCursor::look() {
  Status refreshed = text_->refresh();
  if (!refreshed.ok()) return refreshed;
  if (is_complete()) return {};
  const uint64_t end = text_->end();
  if (end < std::max(offset_, end_seen_)) return shrank(end);
  if (end_seen_ > 0 && end > end_seen_) {
    Status checked = check_growth();
    if (!checked.ok()) return checked;
  }
  end_seen_ = end;
  return {};
}

// A file that was cut off and has grown beyond where it was, or that grows within its last line
// after that was taken for whole.
Status FileCursor::check_growth() {
  if (offset_ == 0) return {};
  std::string head(last_head_.size(), '\0');
  Status status = read_at(last_begin_, head.data(), head.size());
  if (!status.ok()) return status;
  if (head != last_head_) {
    return changed("the record at offset " + std::to_string(last_begin_) + " was written anew");
  }
  char before = 0;
  status = read_at(offset_ - 1, &before, 1);
  if (!status.ok() || before == '\n') return status;
  return changed("the file grew within its last line, which had been read without a newline");
}

bool FileCursor::is_settled() const {
  if (now_ == kMinTime) return false;
  const auto at_path = status_at(path_);
  const auto status = text_->file().status();
  if (!at_path.ok() || !status.ok()) return false;
  if (!moved_ && at_path->has_value() && (*at_path)->same_file(*status)) return false;
  return now_ - status->changed_us >= source_.idle_after_us();
}

Status FileCursor::read_at(uint64_t offset, char* to, size_t bytes) {
  while (bytes > 0) {
    const auto got = text_->read(offset, to, bytes);
    if (!got.ok()) return got.error();
    if (*got == 0) return shrank(text_->end());
    to += *got;
    offset += *got;
    bytes -= *got;
  }
  return {};
}

bool FileCursor::at_end() const { return offset_ == text_->end() || stalled_end_ == text_->end(); }

Status FileCursor::read(size_t max_records, size_t max_bytes, EventBatch* batch) {
  const uint64_t begin = offset_;
  Status status = read_batch(max_records, max_bytes, batch);
  if (!status.ok() && offset_ == begin) text_->note_fault(begin, status.error());
  return status;
}

Status FileCursor::read_batch(size_t max_records, size_t max_bytes, EventBatch* batch) {
  const uint64_t begin = offset_;
  limit_ = limit_at(begin);
  BatchWriter writer(source_.schema(), begin, max_records, batch);
  Status status = look();
  if (!status.ok()) return status;
  text_->release(offset_);
  // At the end of a file that grows nothing is read: it is asked for again and again.
  const bool stalled = at_end();
  if (grows_) final_ = stalled && is_settled();
  if (!stalled || final_) {
    if (parser_ == nullptr) status = make_parser();
    if (status.ok() && parser_ != nullptr) {
      status = read_records(max_records, max_bytes, &writer, &batch->text);
    }
    if (!status.ok()) return status;
  }
  if (writer.records() > 0) {
    record_bytes_ = std::max<size_t>(static_cast<size_t>(offset_ - begin) / writer.records(), 1);
  }
  writer.finish(offset_, final_ && offset_ == text_->end());
  batch->at_end = at_end();
  return note_last(batch);
}

Status FileCursor::read_records(size_t max_records, size_t max_bytes, BatchWriter* writer,
                                std::string* text) {
  offset_ = std::max(offset_, header_bytes_);
  if (!text_->end_known()) {  // it may be here
    const auto ahead = text_->read(offset_, nullptr, 0);
    if (!ahead.ok()) return ahead.error();
  }
  size_t window = std::clamp<size_t>(max_bytes, 1, kLargestWindow);
  while (offset_ < read_end() && max_records > 0) {
    const auto consumed = read_window(window, max_records, writer, text);
    if (!consumed.ok()) return consumed.error();
    if (*consumed > 0) break;
    const uint64_t left = read_end() - offset_;
    if (std::min<uint64_t>(window, left) >= kDecidingBytes) return skip_record(writer, text);
    if (window >= left && read_end() == text_->end()) break;
    if (window >= left) limit_ = kNoEnd;  // it lies within this record
    window = std::min(std::max(2 * window, kSmallestWindow), kDecidingBytes);
  }
  return {};
}

Result<size_t> FileCursor::read_window(size_t window, size_t max_records, BatchWriter* writer,
                                       std::string* text) {
  const uint64_t begin = offset_;
  const auto wanted = static_cast<size_t>(std::min<uint64_t>(window, read_end() - begin));
  reserve_window(text, wanted);
  size_t filled = 0;
  size_t parsed = 0;
  // A block at a time: it is parsed while it is in the cache.
  while (filled < wanted && !writer->full()) {
    const size_t records_left = max_records - writer->records();
    size_t block = std::min(wanted - filled, kBlockBytes);
    if (records_left < kBlockBytes / record_bytes_) {
      const size_t enough = records_left * record_bytes_ + kSmallestWindow;
      block = std::min(block, parsed > 0 ? enough : std::max(enough, filled));
    }
    const auto got = text_->read(begin + filled, text->data() + filled, block);
    if (!got.ok() && parsed > 0) break;  // met again behind these records
    if (!got.ok()) return got.error();
    filled += *got;
    const bool ends = final_ && begin + filled == text_->end();
    parsed +=
        parser_->parse({text->data() + parsed, filled - parsed, begin + parsed, ends}, writer);
    if (begin + filled < text_->end()) continue;
    if (!final_ && !writer->full()) stalled_end_ = text_->end();
    break;
  }
  offset_ = begin + parsed;
  return parsed;
}

Status FileCursor::skip_record(BatchWriter* writer, std::string* text) {
  const uint64_t begin = offset_;
  const std::string head(text->data(), kBadRecordBytes);
  uint64_t at = std::max(begin, searched_);
  uint64_t next = 0;
  char before = '\0';
  reserve_window(text, kBlockBytes);
  while (next == 0 && at < text_->end()) {
    text_->release(at);
    const auto got = text_->read(at, text->data(), kBlockBytes);
    if (!got.ok()) return got.error();
    const void* newline = std::memchr(text->data(), '\n', *got);
    const size_t line = newline == nullptr
                            ? *got
                            : static_cast<size_t>(static_cast<const char*>(newline) - text->data());
    if (line > 0) before = (*text)[line - 1];
    at += line;
    if (newline != nullptr) next = at + 1;
  }
  searched_ = at;
  if (next == 0 && !final_) {
    stalled_end_ = text_->end();
    return {};
  }
  offset_ = next == 0 ? at : next;
  writer->bad(begin, BadReason::kOversized, kTooLarge, head, at - begin - (before == '\r' ? 1 : 0));
  last_begin_ = begin;
  last_head_ = head.substr(0, kLastHeadBytes);
  return {};
}

Status FileCursor::note_last(EventBatch* batch) {
  if (batch->rows() > 0 || !batch->bad.empty()) {
    const uint64_t row = batch->rows() > 0 ? batch->offsets.back() : 0;
    const uint64_t bad = batch->bad.empty() ? 0 : batch->bad.back().offset;
    const uint64_t begin = std::max(row, bad);
    if (begin != last_begin_) last_head_.clear();
    last_begin_ = begin;
  } else if (last_head_.empty()) {
    return {};
  }
  const size_t had = last_head_.size();
  last_head_.resize(std::min<uint64_t>(kLastHeadBytes, offset_ - last_begin_));
  Status status = read_at(last_begin_ + had, last_head_.data() + had, last_head_.size() - had);
  if (status.ok()) batch->last = {last_begin_, hash_bytes(last_head_, 0)};
  return status;
}

std::string FileCursor::record_bytes(const EventBatch& batch, size_t row, uint64_t* size) {
  const uint64_t begin = batch.offsets[row];
  uint64_t end = row + 1 < batch.rows() ? batch.offsets[row + 1] : batch.end_offset;
  const auto bad = std::upper_bound(batch.bad.begin(), batch.bad.end(), begin,
                                    [](uint64_t at, const BadRecord& b) { return at < b.offset; });
  if (bad != batch.bad.end()) end = std::min(end, bad->offset);
  // A record that was taken is no longer than that; what is behind are empty lines.
  std::string bytes(std::min<uint64_t>(end - begin, kDecidingBytes), '\0');
  *size = 0;
  if (!read_at(begin, bytes.data(), bytes.size()).ok()) return {};
  bytes.resize(without_newlines(bytes).size());
  *size = bytes.size();
  bytes.resize(std::min(bytes.size(), kBadRecordBytes));
  return bytes;
}

SourceCursor::LogInfo FileCursor::info() const {
  LogInfo info;
  if (text_->end_known()) info.end_offset = text_->end();
  return info;
}

}  // namespace tidemill
