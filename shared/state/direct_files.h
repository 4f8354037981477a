// The machine's file system with one addition: a file that is made with
// EnvOptions::use_direct_writes, or opened for sequential reading with use_direct_reads, is written
// or read past the page cache (O_DIRECT), whatever sizes its user writes or reads. That takes a
// tenth of the CPU time, and leaves the page cache to files that are read more than once. Where the
// file system cannot do it the file is an ordinary one.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <memory>

namespace tidemill {

std::shared_ptr<rocksdb::Env> direct_files_env();

// How to write or read, from beginning to end, a file of about so many bytes: if they are many,
// past the page cache.
rocksdb::EnvOptions streaming_options(uint64_t bytes);

}  // namespace tidemill
