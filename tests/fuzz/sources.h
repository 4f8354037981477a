// The source whose records the fuzz targets of files and of messages read.
#pragma once

#include <initializer_list>
#include <utility>

#include "proto/plan.pb.h"
#include "shared/base/assert.h"
#include "shared/expr/types.h"

namespace tidemill::fuzz {

// Columns of every type, by names that records may have; of JSON by these, and of what has parts by
// pairs of a name and a type. Its input is unset.
inline proto::Source every_type_source(
    std::initializer_list<const char*> json,
    std::initializer_list<std::pair<const char*, const char*>> parts = {}) {
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
  for (const char* name : json) add(name, proto::JSON);
  for (const auto& [name, type] : parts) {
    add(name, proto::JSON);
    const auto parsed = parse_type(type);
    ASSERT(parsed.ok());
    set_full_type(*parsed, source.mutable_schema(source.schema_size() - 1));
  }
  source.set_event_time_field(1);
  return source;
}

}  // namespace tidemill::fuzz
