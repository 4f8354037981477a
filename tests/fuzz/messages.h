// Binary records with their schema, for the fuzz targets of Avro and Protobuf messages.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "shared/base/assert.h"
#include "shared/source/message_decoder.h"
#include "tests/fuzz/sources.h"

namespace tidemill::fuzz {

// An input is a schema's text, a zero byte, and a record.
inline std::pair<std::string_view, std::string_view> schema_and_record(std::string_view input) {
  const size_t zero = std::min(input.find('\0'), input.size());
  return {input.substr(0, zero), input.substr(std::min(zero + 1, input.size()))};
}

// Columns for the fields that the schemas of the corpora have.
inline proto::Source message_source() {
  return every_type_source({"items", "extra"}, {{"numbers", "list<int64>"},
                                                {"counts", "map<string, int64>"},
                                                {"first_item", "struct<sku: string, kind: string>"},
                                                {"price", "decimal(12, 2)"}});
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
