// FileText: the text of one open file by offset; of a file in gzip format, what it holds. Blocking.
// Memory: a plain file's text is not kept; of a compressed one, what is behind the last release()
// and was read, and some blocks.
// Failure: a compressed file that is cut off is kUser, one whose bytes do not verify is kCorrupt,
// one that shrinks is kSourceChanged.
#pragma once

#include <cstdint>
#include <memory>

#include "shared/base/result.h"
#include "shared/source/open_file.h"

namespace tidemill {

class FileText {
 public:
  static constexpr uint64_t kUnknownEnd = UINT64_MAX;

  virtual ~FileText() = default;

  // Looks at the file as it is now.
  virtual Status refresh() = 0;
  // Where the text ends, as of refresh(). A compressed text's is unknown until it was read, or
  // released, to its end.
  virtual uint64_t end() const = 0;
  // Up to `bytes` at `offset` into `to`. Fewer only where the text ends, or where what follows
  // cannot be read: asking for that is the error. Going back behind release() is slow.
  virtual Result<size_t> read(uint64_t offset, char* to, size_t bytes) = 0;
  // What is before `offset` will hardly be asked for again.
  virtual void release(uint64_t offset) {}

  // The error that reading on from `offset` met before, if it would meet it again: see
  // gzip_faults.h. As of refresh().
  virtual Status known_fault(uint64_t offset) const { return {}; }
  // Reading on from `offset` gave nothing but this error.
  virtual void note_fault(uint64_t offset, const Error& error) {}

  virtual const OpenFile& file() const = 0;
  bool end_known() const { return end() != kUnknownEnd; }
};

// The file is compressed if its name ends with ".gz".
std::unique_ptr<FileText> make_file_text(OpenFile file);
// Of a file in gzip format (RFC 1952), of one or more members.
std::unique_ptr<FileText> make_gzip_text(OpenFile file);

}  // namespace tidemill
