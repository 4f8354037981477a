// Files of records for the fuzz targets of CSV and NDJSON.
#pragma once

#include <string_view>

#include "proto/plan.pb.h"

namespace tidemill::fuzz {

// Reads `content` as a file of the format, at once and in small pieces: both give the same events,
// bad records and end.
void read_both_ways(proto::FilesInput::Format format, std::string_view content);

}  // namespace tidemill::fuzz
