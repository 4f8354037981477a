#include "shared/source/source_cursor.h"

#include <string>

#include "shared/source/avro_file_cursor.h"
#include "shared/source/file_cursor.h"
#include "shared/source/generator_cursor.h"
#include "shared/source/kafka_cursor.h"
#include "shared/source/parquet_file_cursor.h"

namespace tidemill {
namespace {

// What the cursors take for granted about a plan.
Status check_schema(const proto::Source& source) {
  for (const proto::Field& field : source.schema()) {
    if (!is_stored_type(static_cast<ColumnType>(field.type()))) {
      return user_error("column '" + field.name() + "' of the schema has no type");
    }
  }
  const uint32_t time = source.event_time_field();
  if (time >= static_cast<uint32_t>(source.schema_size()) ||
      source.schema(static_cast<int>(time)).type() != proto::TIMESTAMP) {
    return user_error("the event time is not a column of type timestamp");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<SourceCursor>> SourceCursor::open(const proto::Source& source,
                                                         uint32_t index, uint64_t offset,
                                                         const RecordIdentity& last) {
  Status checked = check_schema(source);
  if (!checked.ok()) return checked.error();
  if (source.has_files()) {
    if (index >= static_cast<uint32_t>(source.files().paths_size())) {
      return user_error("there is no file " + std::to_string(index) + ", only " +
                        std::to_string(source.files().paths_size()));
    }
    if (source.files().format() == proto::FilesInput::AVRO) {
      return AvroFileCursor::open(source, index, offset, last);
    }
    if (source.files().format() == proto::FilesInput::PARQUET) {
      return ParquetFileCursor::open(source, index, offset, last);
    }
    return FileCursor::open(source, index, offset, last);
  }
  if (source.has_kafka()) return KafkaCursor::open(source, index, offset, last);
  if (source.has_generator()) return GeneratorCursor::open(source, index, offset);
  return user_error("the source has no input: files, kafka or generator");
}

}  // namespace tidemill
