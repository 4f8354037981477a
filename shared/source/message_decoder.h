// MessageDecoder: binary data of one schema into the columns of a source, found by name. Fields
// that no column is named after are skipped; a column without a field is null.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"
#include "shared/schema/avro_schema.h"
#include "shared/schema/protobuf_schema.h"
#include "shared/source/batch_writer.h"

namespace tidemill {

// What became of one record.
struct Decoded {
  std::string why;  // it is no event; empty: each column has its value
  BadReason reason = BadReason::kUnparsable;
  size_t size = 0;    // bytes of it, if they are known
  bool whole = true;  // they are; else the bytes are no data of the schema
};

class MessageDecoder {
 public:
  virtual ~MessageDecoder() = default;

  // Sets every column of the writer's row by the record at the front of `bytes`, which must stay as
  // long as the row. `alone`: nothing may be behind it.
  virtual Decoded decode(std::string_view bytes, bool alone, BatchWriter* writer) = 0;
};

// kUser: the schema is no record's.
Result<std::unique_ptr<MessageDecoder>> make_avro_decoder(std::shared_ptr<const AvroSchema> schema,
                                                          const proto::Source& source);
std::unique_ptr<MessageDecoder> make_protobuf_decoder(std::shared_ptr<const ProtobufType> type,
                                                      const proto::Source& source);

// Adds the record at the front of `bytes` as the event of `offset`, dated `latest` at most, or as a
// bad record.
Decoded add_record(MessageDecoder* decoder, std::string_view bytes, bool alone, uint64_t offset,
                   const proto::Source& source, TimeUs latest, BatchWriter* writer);

}  // namespace tidemill
