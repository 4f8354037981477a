#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/training/row_sink.h"
#include "shared/window/feature_value_json.h"

namespace tidemill::training {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

// A field of RFC 4180; an empty one in quotes.
void append_field(std::string_view text, std::string* out) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out->append(text);
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

void append_value(const FeatureValue& value, ColumnType type, std::string* json, std::string* out) {
  if (std::holds_alternative<std::monostate>(value)) return;
  if (const auto* text = std::get_if<std::string>(&value)) return append_field(*text, out);
  json->clear();
  append_feature_value(value, type, json);
  const bool in_quotes = json->front() == '"';  // NaN and the infinities
  append_field(in_quotes ? std::string_view(*json).substr(1, json->size() - 2) : *json, out);
}

class CsvSink : public RowSink {
 public:
  explicit CsvSink(std::string path) : path_(std::move(path)) {}
  ~CsvSink() override;

  Status open();
  void encode(std::span<const FeatureSpec* const> features, std::span<const FeatureValue> values,
              std::string* out) const override;
  Status begin(std::string_view spine_header, const std::vector<std::string>& columns) override;
  Status write(std::string_view record, std::span<const std::string_view> values) override;
  Status finish() override;

 private:
  Status flush();
  Error failed(const std::string& what) const;

  std::string path_;
  std::string temporary_;  // beside it; empty: none is left
  int fd_ = -1;
  std::string buffer_;
};

CsvSink::~CsvSink() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Error CsvSink::failed(const std::string& what) const {
  return user_error(what + ": " + std::strerror(errno) +
                    "; --out names a file in a directory that can be written");
}

Status CsvSink::open() {
  temporary_ = path_ + ".XXXXXX";
  fd_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (fd_ < 0) {
    temporary_.clear();
    return failed("cannot write beside " + path_);
  }
  // As any program makes a file: mkostemp's is its owner's alone.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd_, 0666 & ~mask);
  return {};
}

void CsvSink::encode(std::span<const FeatureSpec* const> features,
                     std::span<const FeatureValue> values, std::string* out) const {
  thread_local std::string json;
  for (size_t i = 0; i < values.size(); ++i) {
    out->push_back(',');
    append_value(values[i], features[i]->type, &json, out);
  }
}

Status CsvSink::begin(std::string_view spine_header, const std::vector<std::string>& columns) {
  buffer_.append(spine_header);
  for (const std::string& column : columns) {
    buffer_.push_back(',');
    append_field(column, &buffer_);
  }
  buffer_.push_back('\n');
  return {};
}

Status CsvSink::write(std::string_view record, std::span<const std::string_view> values) {
  buffer_.append(record);
  for (const std::string_view piece : values) buffer_.append(piece);
  buffer_.push_back('\n');
  return buffer_.size() >= kBufferBytes ? flush() : Status{};
}

Status CsvSink::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("writing " + temporary_);
    done += static_cast<size_t>(n);
  }
  buffer_.clear();
  return {};
}

Status CsvSink::finish() {
  if (Status flushed = flush(); !flushed) return flushed;
  if (::fsync(fd_) != 0) return failed("writing " + temporary_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed("renaming to " + path_);
  temporary_.clear();
  return {};
}

}  // namespace

Result<std::unique_ptr<RowSink>> open_csv_sink(const std::string& path) {
  auto sink = std::make_unique<CsvSink>(path);
  if (Status opened = sink->open(); !opened) return opened.error();
  return std::unique_ptr<RowSink>(std::move(sink));
}

}  // namespace tidemill::training
