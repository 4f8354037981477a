#include "cli/training/row_source.h"

namespace tidemill::training {

Result<std::unique_ptr<RowSource>> open_spine(const std::string& path, SpineColumns columns,
                                              SpineText text, const std::vector<proto::Field>& keys,
                                              const std::string& time_column) {
  proto::Source source;
  source.set_name("spine");
  for (const proto::Field& key : keys) *source.add_schema() = key;
  proto::Field* const time = source.add_schema();
  time->set_name(time_column);
  time->set_type(proto::TIMESTAMP);
  source.set_event_time_field(static_cast<uint32_t>(keys.size()));
  source.mutable_files()->add_paths(path);
  if (is_parquet(path)) {
    source.mutable_files()->set_format(proto::FilesInput::PARQUET);
    return open_parquet_spine(std::move(source), columns);
  }
  source.mutable_files()->set_format(proto::FilesInput::CSV);
  return open_csv_spine(std::move(source), text);
}

}  // namespace tidemill::training
