// What the tests of sources share: files made of text, cursors read to the end, and batches
// flattened to plain values that compare.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/source/source_cursor.h"

namespace tidemill::test {

// A file in the test's temporary directory that is gone with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::string_view content) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A directory that is gone, with what is in it, with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, std::string_view content) const;
  void append(const std::string& name, std::string_view content) const;
  void rename(const std::string& from, const std::string& to) const;
  void remove(const std::string& name) const;

 private:
  std::string path_;
};

// `text` in gzip format, as one member.
std::string gzip(std::string_view text);

// Columns id int64, at timestamp (the event time), name string, amount double, ok bool, n int32.
proto::Source sample_source(proto::FilesInput::Format format, const std::string& path);
// Card transactions from a generator.
proto::Source generator_source(const proto::GeneratorInput& input);
proto::GeneratorInput sample_generator();

// All that cursors gave, with offsets; values as text ("null", or as in an error message).
struct Events {
  std::map<uint64_t, std::vector<std::string>> rows;
  std::map<uint64_t, std::string> bad;
  uint64_t begin = 0;
  uint64_t end = 0;

  friend bool operator==(const Events&, const Events&) = default;
};

struct ReadSize {
  size_t records = 1 << 16;
  size_t bytes = 1 << 20;
};

// Reads from `offset` until the source is finished, checking each batch's invariants.
Result<Events> read_all(const proto::Source& source, uint64_t offset, ReadSize size,
                        uint32_t partition = 0);
// The same of a file with `content` and the sample schema.
Result<Events> read_text(proto::FilesInput::Format format, std::string_view content,
                         uint64_t offset = 0, ReadSize size = {});

// The same of messages of a topic, whose offsets are their numbers.
Result<Events> read_messages(const proto::Source& source, const std::vector<std::string>& messages);

// A source with these columns, of which the second is the event time, and no input.
using NamedType = std::pair<const char*, proto::ColumnType>;
proto::Source source_with(const std::vector<NamedType>& columns);

// Files that other programs wrote: tests/golden/records.
std::string golden_record_file(const std::string& name);
std::string from_hex(std::string_view hex);
// Of a file with a record in hexadecimal on each line.
std::vector<std::string> golden_records(const std::string& name);

// A RapidCheck property of any of these records: cut off anywhere, or with any byte changed, it is
// an event or a dead letter, and the next one is as it was.
void any_bytes_are_an_event_or_a_dead_letter(const proto::Source& source,
                                             const std::vector<std::string>& records);

// The events of `events` whose offsets are at least `offset`.
Events tail(Events events, uint64_t offset);

}  // namespace tidemill::test
