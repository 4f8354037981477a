// Files of records for the fuzz targets of CSV, NDJSON and Avro files.
#pragma once

#include <string_view>

#include "proto/plan.pb.h"

namespace tidemill::fuzz {

// Reads `content` as a file of the format, at once and in small pieces: both give the same events,
// bad records and end. Of Avro files the same error, too.
void read_both_ways(proto::FilesInput::Format format, std::string_view content);

}  // namespace tidemill::fuzz
