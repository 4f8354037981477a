// What this process has found wrong with compressed files. To meet a fault again a file has to be
// decompressed again from its start, while whoever reads it tries every second.
// thread-safe. Bounded: the oldest is forgotten.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/source/open_file.h"

namespace tidemill {

// Where reading met a fault and no text before it: in which state of which file, from which offset
// of its text.
struct GzipFaultPlace {
  std::string path;
  FileStatus file;
  uint64_t offset = 0;
};

// The error met there, if the file is still the same, of the same size and not touched since. Now
// and then it says nothing, and so lets the file be read: one may be written within a tick of the
// file system's clock and keep its size.
Status known_gzip_fault(const GzipFaultPlace& place);
void note_gzip_fault(const GzipFaultPlace& place, const Error& error);

}  // namespace tidemill
