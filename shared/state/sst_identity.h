// The session identity that RocksDB writes into an SST file: 20 characters that it draws at random,
// by which blocks are found in a block cache. Replaced by one that follows from what the file is,
// files have the same bytes and checksums whenever the same state is written, which the simulation
// depends on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tidemill {

// 20 digits of base 36 that follow from `name`.
std::string session_identity(std::string_view name);

// `tail` is the end of a file of block-based table format 5 with XXH3 checksums, from byte `begin`
// of the file on. Leaves it as it is if it is not what was expected there; the file is good then
// too, but not the same on every run.
void replace_session_identity(uint64_t begin, std::string_view identity, std::string* tail);

}  // namespace tidemill
