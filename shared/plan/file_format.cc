#include "shared/plan/file_format.h"

#include "shared/plan/file_pattern.h"

namespace tidemill {

proto::FilesInput::Format file_format(std::string_view name) {
  if (is_compressed(name)) name.remove_suffix(kCompressedEnding.size());
  if (name.ends_with(".avro")) return proto::FilesInput::AVRO;
  if (name.ends_with(".parquet")) return proto::FilesInput::PARQUET;
  if (name.ends_with(".csv")) return proto::FilesInput::CSV;
  if (name.ends_with(".ndjson") || name.ends_with(".jsonl")) return proto::FilesInput::NDJSON;
  return proto::FilesInput::FORMAT_UNSPECIFIED;
}

}  // namespace tidemill
