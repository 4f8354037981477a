// Properties over any content: how a file is read never changes what is read, and no bytes do harm.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/unit/source/source_fixture.h"

namespace tidemill::test {
namespace {

using Format = proto::FilesInput::Format;

const std::string kHeader = "id,at,name,amount,ok,n\n";

// Pieces from which records and near-records come about often.
rc::Gen<std::string> any_text(Format format) {
  const std::vector<std::string> csv = {"1,2018-04-01T00:00:31Z,ann,1.5,true,7",
                                        "2,2018-04-01T00:00:32Z,\"b,\"\"o\nb\",2,f,",
                                        "\"",
                                        "\"\"",
                                        ",",
                                        "\n",
                                        "\r\n",
                                        "\r",
                                        "x",
                                        "3,2018-04-02T00:00:00Z,,,,\n",
                                        "\xC3\xA9",
                                        "\xFF",
                                        "4,2018-04-01T00:00:31Z,\"unclosed,1,t,1\n"};
  const std::vector<std::string> ndjson = {
      R"({"id":1,"at":"2018-04-01T00:00:31Z","name":"ann","amount":1.5,"ok":true,"n":7})",
      R"({"n":-1,"at":"2018-04-02T10:00:31.5Z","name":"a\"\u0062\n"})",
      "{",
      "}",
      "[",
      "\"",
      "\\",
      ":",
      ",",
      "\n",
      "\r\n",
      "\r",
      "null",
      R"("at":"2018-04-01T00:00:31Z")",
      R"({"at":5})",
      "\xC3\xA9",
      "\xFF",
      std::string(1, '\0'),
      "1e5",
      "-"};
  const auto& pieces = format == proto::FilesInput::CSV ? csv : ndjson;
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::oneOf(
                          rc::gen::elementOf(pieces), rc::gen::just(std::string("\n")),
                          rc::gen::element(pieces[0] + "\n", pieces[1] + "\n"))),
                      [](const std::vector<std::string>& parts) {
                        std::string text;
                        for (const std::string& part : parts) text += part;
                        return text;
                      });
}

std::string with_header(Format format, const std::string& text) {
  return format == proto::FilesInput::CSV ? kHeader + text : text;
}

void read_size_does_not_matter(Format format) {
  const std::string content = with_header(format, *any_text(format));
  const auto expected = read_text(format, content);
  RC_ASSERT(expected.ok());
  RC_ASSERT(expected->end == content.size());
  const ReadSize size{*rc::gen::inRange<size_t>(1, 6), *rc::gen::inRange<size_t>(1, 200)};
  const auto got = read_text(format, content, 0, size);
  RC_ASSERT(got.ok());
  RC_ASSERT(*got == *expected);
}

void any_record_starts_the_rest(Format format) {
  const std::string content = with_header(format, *any_text(format));
  const TemporaryFile file(content);
  const proto::Source source = sample_source(format, file.path());
  const auto all = read_all(source, 0, {});
  RC_ASSERT(all.ok());
  std::vector<uint64_t> offsets{content.size()};
  for (const auto& row : all->rows) offsets.push_back(row.first);
  for (const auto& bad : all->bad) offsets.push_back(bad.first);
  for (const uint64_t offset : offsets) {
    const auto rest = read_all(source, offset, {});
    RC_ASSERT(rest.ok());
    RC_ASSERT(*rest == tail(*all, offset));
  }
}

// [offset, offset + size) is a record in `content`: a newline or the end is behind it.
void check_record(const std::string& content, uint64_t offset, const std::string& bytes,
                  uint64_t size) {
  RC_ASSERT(offset + size <= content.size());
  RC_ASSERT(bytes == content.substr(offset, std::min<uint64_t>(size, kBadRecordBytes)));
  RC_ASSERT(size > 0U);
  const std::string behind = content.substr(offset + size, 2);
  RC_ASSERT(behind.empty() || behind[0] == '\n' || behind == "\r\n" || behind == "\r");
  RC_ASSERT(behind[0] == '\r' || bytes.back() != '\r');
}

void records_are_given_as_they_are_in_the_log(Format format, bool compressed) {
  const std::string content = with_header(format, *any_text(format));
  const TemporaryDirectory directory;
  const std::string name = compressed ? "a.gz" : "a";
  directory.write(name, compressed ? gzip(content) : content);
  auto cursor = SourceCursor::open(sample_source(format, directory.path(name)), 0, 0, {});
  RC_ASSERT(cursor.ok());
  const ReadSize size{*rc::gen::inRange<size_t>(1, 6), *rc::gen::inRange<size_t>(1, 200)};
  EventBatch batch;
  do {
    RC_ASSERT((*cursor)->read(size.records, size.bytes, &batch).ok());
    for (const BadRecord& bad : batch.bad) check_record(content, bad.offset, bad.bytes, bad.size);
    for (size_t row = 0; row < batch.rows(); ++row) {
      uint64_t bytes = 0;
      const std::string record = (*cursor)->record_bytes(batch, row, &bytes);
      check_record(content, batch.offsets[row], record, bytes);
    }
  } while (!batch.finished);
}

// Whole lines appended one after another, or in pieces, give what the whole file gives.
void a_growing_file_gives_the_same(Format format) {
  const std::string content = with_header(format, *any_text(format)) + "\"\n";
  const TemporaryDirectory directory;
  directory.write("a", "");
  proto::Source source = sample_source(format, directory.path("a"));
  const auto expected = read_text(format, content);
  source.mutable_files()->set_follow(true);
  auto cursor = SourceCursor::open(source, 0, 0, {});
  RC_ASSERT(cursor.ok());
  Events got;
  EventBatch batch;
  for (size_t at = 0; at < content.size();) {
    const size_t piece = *rc::gen::inRange<size_t>(1, 60);
    directory.append("a", content.substr(at, piece));
    at += piece;
    do {
      RC_ASSERT((*cursor)->read(3, 100, &batch).ok());
      for (const uint64_t offset : batch.offsets) got.rows[offset];
      for (const BadRecord& bad : batch.bad) got.bad[bad.offset] = bad.bytes;
    } while (!batch.at_end);
    RC_ASSERT(!batch.finished);
  }
  directory.remove("a");
  (*cursor)->set_wall_time(kMaxTime);
  while (!batch.finished) {
    RC_ASSERT((*cursor)->read(3, 100, &batch).ok());
    for (const uint64_t offset : batch.offsets) got.rows[offset];
    for (const BadRecord& bad : batch.bad) got.bad[bad.offset] = bad.bytes;
  }
  RC_ASSERT(batch.end_offset == expected->end);
  RC_ASSERT(got.rows.size() == expected->rows.size());
  for (const auto& row : expected->rows) RC_ASSERT(got.rows.contains(row.first));
  RC_ASSERT(got.bad.size() == expected->bad.size());
  for (const auto& bad : expected->bad) {
    RC_ASSERT(bad.second.ends_with(" | " + got.bad[bad.first]));
  }
}

void hostile_bytes_do_no_harm(Format format) {
  const auto bytes = *rc::gen::arbitrary<std::string>();
  const auto events = read_text(format, with_header(format, bytes));
  RC_ASSERT(events.ok());
}

RC_GTEST_PROP(AnyCsv, TheReadSizeDoesNotMatter, ()) {
  read_size_does_not_matter(proto::FilesInput::CSV);
}
RC_GTEST_PROP(AnyNdjson, TheReadSizeDoesNotMatter, ()) {
  read_size_does_not_matter(proto::FilesInput::NDJSON);
}
RC_GTEST_PROP(AnyCsv, AnyRecordStartsTheRest, ()) {
  any_record_starts_the_rest(proto::FilesInput::CSV);
}
RC_GTEST_PROP(AnyNdjson, AnyRecordStartsTheRest, ()) {
  any_record_starts_the_rest(proto::FilesInput::NDJSON);
}
RC_GTEST_PROP(AnyCsv, RecordsAreGivenAsTheyAreInTheLog, (bool compressed)) {
  records_are_given_as_they_are_in_the_log(proto::FilesInput::CSV, compressed);
}
RC_GTEST_PROP(AnyNdjson, RecordsAreGivenAsTheyAreInTheLog, (bool compressed)) {
  records_are_given_as_they_are_in_the_log(proto::FilesInput::NDJSON, compressed);
}
RC_GTEST_PROP(AnyCsv, AGrowingFileGivesTheSame, ()) {
  a_growing_file_gives_the_same(proto::FilesInput::CSV);
}
RC_GTEST_PROP(AnyNdjson, AGrowingFileGivesTheSame, ()) {
  a_growing_file_gives_the_same(proto::FilesInput::NDJSON);
}
RC_GTEST_PROP(AnyCsv, HostileBytesDoNoHarm, ()) {
  hostile_bytes_do_no_harm(proto::FilesInput::CSV);
}
RC_GTEST_PROP(AnyNdjson, HostileBytesDoNoHarm, ()) {
  hostile_bytes_do_no_harm(proto::FilesInput::NDJSON);
}

// Any bytes as the header: an error or a file, never a crash.
RC_GTEST_PROP(AnyCsv, AnyHeaderIsTakenOrRefused, ()) {
  const auto events = read_text(proto::FilesInput::CSV, *any_text(proto::FilesInput::CSV));
  if (!events.ok()) RC_ASSERT(!events.error().message().empty());
}

}  // namespace
}  // namespace tidemill::test
