// Binary records with their schema, for the fuzz targets of Avro and Protobuf messages.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "shared/base/assert.h"
#include "shared/source/message_decoder.h"

namespace tidemill::fuzz {

// An input is a schema's text, a zero byte, and a record.
inline std::pair<std::string_view, std::string_view> schema_and_record(std::string_view input) {
  const size_t zero = std::min(input.find('\0'), input.size());
  return {input.substr(0, zero), input.substr(std::min(zero + 1, input.size()))};
}

// Columns of every type, by names that records may have.
inline proto::Source message_source() {
  proto::Source source;
  source.set_name("records");
  const auto add = [&](const char* name, proto::ColumnType type) {
    proto::Field* field = source.add_schema();
    field->set_name(name);
    field->set_type(type);
  };
  add("id", proto::INT64);
  add("at", proto::TIMESTAMP);
  add("name", proto::STRING);
  add("amount", proto::DOUBLE);
  add("ok", proto::BOOL);
  add("n", proto::INT32);
  add("day", proto::DATE);
  add("raw", proto::BYTES);
  add("items", proto::JSON);
  add("extra", proto::JSON);
  source.set_event_time_field(1);
  return source;
}

// The record is an event or a bad record, and the same ones each time.
inline void decode_twice(MessageDecoder* decoder, const proto::Source& source,
                         std::string_view record) {
  EventBatch batch;
  BatchWriter writer(source.schema(), 0, 2, &batch);
  for (uint64_t i = 0; i < 2; ++i) {
    add_record(decoder, record, true, i, source, kMaxTime, &writer);
  }
  writer.finish(2, true);
  ASSERT(batch.rows() == 2 || batch.bad.size() == 2);
  if (batch.rows() == 0) ASSERT(batch.bad[0].message == batch.bad[1].message);
  for (const Column& column : batch.columns) {
    for (size_t i = 1; i < column.strings.size(); ++i) {
      ASSERT(column.strings[i] == column.strings[0]);
    }
  }
}

}  // namespace tidemill::fuzz
