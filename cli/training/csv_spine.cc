#include <algorithm>

#include "cli/training/csv_fields.h"
#include "cli/training/row_source.h"
#include "shared/base/utf8.h"
#include "shared/source/file_identity.h"
#include "shared/source/source_cursor.h"

namespace tidemill::training {
namespace {

constexpr size_t kBatchRows = 16 << 10;
constexpr size_t kBatchBytes = 4 << 20;
constexpr size_t kPieceBytes = 64 << 10;
constexpr size_t kShownBytes = 60;  // of a field
constexpr char kWriteUtf8[] = "write the spine in UTF-8, or the training set as CSV";

std::string_view without_line_ends(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// Where the first line of a CSV text ends: behind its newline, which may not be within quotes.
// npos if `text` ends before.
size_t first_line_end(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == '\n' && !quoted) return i + 1;
  }
  return std::string_view::npos;
}

// The names in a header line.
std::vector<std::string> names_in(std::string_view line) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  std::vector<CsvField> fields;
  split_record(line, &fields);
  std::vector<std::string> names;
  for (CsvField& field : fields) names.push_back(std::move(field.text));
  return names;
}

class CsvSpine : public RowSource {
 public:
  CsvSpine(proto::Source source, SpineText text)
      : source_(std::move(source)),
        asked_(source_.schema().begin(), source_.schema().end()),
        utf8_(text == SpineText::kUtf8) {}

  Status open();
  Status read(SpineRows* rows) override;
  uint64_t position() const override { return position_; }
  const std::vector<std::string>& columns() const override { return columns_; }
  const std::vector<proto::Field>& asked() const override { return asked_; }
  std::string header() const override { return header_; }

 private:
  const std::string& path() const { return source_.files().paths(0); }
  Status open_text();
  Status read_header();
  Status read_text(uint64_t offset, char* to, size_t bytes);
  void slice(const EventBatch& events, std::vector<std::string_view>* lines) const;
  Status check_text(const SpineRows& rows);
  Error bad_row(uint64_t offset, const std::string& message);

  proto::Source source_;
  std::vector<proto::Field> asked_;
  const bool utf8_;  // all of it is to be
  std::unique_ptr<SourceCursor> cursor_;
  std::unique_ptr<FileText> text_;
  std::string bytes_;  // of the rows read last
  std::string header_;
  std::vector<std::string> columns_;
  uint64_t position_ = 0;
};

Status CsvSpine::open_text() {
  auto found = find_file(source_.files(), 0);
  if (!found) return found.error();
  text_ = std::move(found->text);
  return text_->refresh();
}

Status CsvSpine::open() {
  if (Status opened = open_text(); !opened) return opened;
  if (Status header = read_header(); !header) return header;
  auto cursor = SourceCursor::open(source_, 0, 0, {});
  if (!cursor) return cursor.error();
  cursor_ = std::move(cursor).value();
  return {};
}

Status CsvSpine::read_header() {
  std::string head;
  size_t end = std::string::npos;
  while (end == std::string::npos) {
    const size_t had = head.size();
    head.resize(had + kPieceBytes);
    const auto got = text_->read(had, head.data() + had, kPieceBytes);
    if (!got) return got.error();
    head.resize(had + *got);
    end = first_line_end(head);
    if (*got == 0) break;
  }
  header_ = without_line_ends(std::string_view(head).substr(0, end));
  columns_ = names_in(header_);
  if (utf8_ && !is_valid_utf8(header_)) {
    return user_error(path() + ":1: the names of its columns are not valid UTF-8; " + kWriteUtf8);
  }
  return {};
}

Status CsvSpine::read_text(uint64_t offset, char* to, size_t bytes) {
  while (bytes > 0) {
    const auto got = text_->read(offset, to, bytes);
    if (!got) return got.error();
    if (*got == 0) return source_changed_error(path() + ": the file shrank while it was read");
    offset += *got;
    to += *got;
    bytes -= *got;
  }
  return {};
}

Status CsvSpine::read(SpineRows* rows) {
  EventBatch& events = rows->events;
  rows->lines.clear();
  for (;;) {
    if (Status read = cursor_->read(kBatchRows, kBatchBytes, &events); !read) return read;
    if (!events.bad.empty()) {
      return bad_row(events.bad.front().offset, events.bad.front().message);
    }
    position_ = events.end_offset;
    if (events.rows() > 0) break;
    if (events.finished || events.end_offset == events.begin_offset) return {};
  }
  const uint64_t begin = events.offsets.front();
  bytes_.resize(events.end_offset - begin);
  if (Status read = read_text(begin, bytes_.data(), bytes_.size()); !read) return read;
  text_->release(events.end_offset);
  slice(events, &rows->lines);
  return check_text(*rows);
}

// Fields are valid if their line is: what separates and quotes them is ASCII.
Status CsvSpine::check_text(const SpineRows& rows) {
  if (!utf8_ || is_valid_utf8(bytes_)) return {};
  for (size_t i = 0; i < rows.lines.size(); ++i) {
    if (is_valid_utf8(rows.lines[i])) continue;
    std::vector<CsvField> fields;
    split_record(rows.lines[i], &fields);
    size_t c = 0;
    while (c + 1 < fields.size() && is_valid_utf8(fields[c].text)) ++c;
    const std::string name = c < columns_.size() ? columns_[c] : std::to_string(c);
    return bad_row(rows.events.offsets[i], "column '" + name + "': '" +
                                               printable(fields[c].text, kShownBytes) +
                                               "' is not valid UTF-8; " + kWriteUtf8);
  }
  return {};
}

void CsvSpine::slice(const EventBatch& events, std::vector<std::string_view>* lines) const {
  const std::string_view bytes = bytes_;
  const uint64_t begin = events.offsets.front();
  for (size_t i = 0; i < events.rows(); ++i) {
    const uint64_t end = i + 1 < events.rows() ? events.offsets[i + 1] : events.end_offset;
    const uint64_t at = events.offsets[i];
    lines->push_back(without_line_ends(bytes.substr(at - begin, end - at)));
  }
}

// Lines are counted only now that somebody wants to know.
Error CsvSpine::bad_row(uint64_t offset, const std::string& message) {
  if (Status opened = open_text(); !opened) return opened.error();
  uint64_t line = 1;
  std::string piece(kPieceBytes, '\0');
  for (uint64_t at = 0; at < offset;) {
    const size_t wanted = std::min<uint64_t>(piece.size(), offset - at);
    if (Status read = read_text(at, piece.data(), wanted); !read) return read.error();
    line += static_cast<uint64_t>(
        std::count(piece.begin(), piece.begin() + static_cast<ptrdiff_t>(wanted), '\n'));
    at += wanted;
    text_->release(at);
  }
  return user_error(path() + ":" + std::to_string(line) + ": " + message);
}

}  // namespace

Result<std::unique_ptr<RowSource>> open_csv_spine(proto::Source source, SpineText text) {
  auto spine = std::make_unique<CsvSpine>(std::move(source), text);
  if (Status opened = spine->open(); !opened) return opened.error();
  return std::unique_ptr<RowSource>(std::move(spine));
}

}  // namespace tidemill::training
