// What is in a file, by its name.
#pragma once

#include <string_view>

#include "proto/plan.pb.h"

namespace tidemill {

// Of a name that ends with .csv, .ndjson or .jsonl, or with .gz behind that, or with .avro or
// .parquet; unspecified for any other.
proto::FilesInput::Format file_format(std::string_view name);

}  // namespace tidemill
