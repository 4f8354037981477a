// Files of records for the fuzz targets of CSV, NDJSON, Avro and Parquet files.
#pragma once

#include <string_view>

#include "proto/plan.pb.h"

namespace tidemill::fuzz {

// Reads `content` as a file of the format, at once and in small pieces: both give the same events,
// bad records and end. Of Avro files the same error, too, and of Parquet files an error both times.
void read_both_ways(proto::FilesInput::Format format, std::string_view content);

}  // namespace tidemill::fuzz
