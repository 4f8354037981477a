// What manifests and files of a state are called, and which manifests make sense. The bytes of a
// manifest are in partition_disk.h and docs/formats/snapshot.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/state.pb.h"
#include "shared/base/result.h"
#include "shared/wire/stamp.h"

namespace tidemill {

inline constexpr uint32_t kManifestFormat = 1;
inline constexpr uint64_t kManifestBytesMax = 16u << 20;

std::string base_file_name(Stamp stamp);
std::string rows_file_name(Stamp stamp, uint64_t from_version);
std::string log_file_name(Stamp stamp, uint64_t from_version);
std::string manifest_file_name(Stamp stamp);
// False if `name` is no manifest's.
bool parse_manifest_name(std::string_view name, Stamp* stamp);
// A base or an increment.
bool is_state_file_name(std::string_view name);
// An increment that is a log; of names of a state's files.
bool is_log_file_name(std::string_view name);

Stamp stamp_of(const proto::StateManifest& manifest);
// Whether the files follow one another from nothing, or a base, to the head.
Status check_manifest(const proto::StateManifest& manifest);

}  // namespace tidemill
