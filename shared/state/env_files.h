// Steps on files through a rocksdb::Env that the modules of this folder share. Errors say what was
// being done; what may pass by itself (a full disk) is kRetryable, what is not what was written
// kCorrupt.
#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

Error disk_error(const std::string& doing, const rocksdb::Status& status);
Status to_status(const std::string& doing, const rocksdb::Status& status);
bool is_missing(const rocksdb::Status& status);

// Creates a directory and those above it; durable.
Status create_directories(rocksdb::Env* env, const std::string& path);
// Makes the names in a directory durable.
Status sync_directory(rocksdb::Env* env, const std::string& path);
// A file of these bytes, under its name only once it is whole; durable. What had the name is
// replaced.
Status replace_file(rocksdb::Env* env, const std::string& directory, const std::string& name,
                    std::span<const uint8_t> bytes);
// kCorrupt if there is no such file or if it is larger than `max_bytes`.
Result<std::vector<uint8_t>> read_whole_file(rocksdb::Env* env, const std::string& path,
                                             uint64_t max_bytes);
// Calls `take` with the bytes of a file, piece after piece.
Status read_pieces(rocksdb::Env* env, const std::string& path,
                   const std::function<void(std::span<const uint8_t>)>& take);
// A second name for a file, or a copy of it where the file system has no links.
Status link_or_copy(rocksdb::Env* env, const std::string& from, const std::string& to);
}  // namespace tidemill
