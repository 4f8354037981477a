#include "shared/source/message_decoder.h"

#include "shared/source/record_parser.h"
#include "shared/source/values.h"

namespace tidemill {

Decoded add_record(MessageDecoder* decoder, std::string_view bytes, bool alone, uint64_t offset,
                   const proto::Source& source, TimeUs latest, BatchWriter* writer) {
  Decoded decoded = decoder->decode(bytes, alone, writer);
  const size_t time_column = source.event_time_field();
  if (decoded.why.empty() && writer->is_null(time_column)) {
    decoded.why = missing_event_time(source.schema(static_cast<int>(time_column)));
  }
  if (decoded.why.empty()) {
    decoded.why = refuse_event_time(source, writer->int_at(time_column), latest);
    if (!decoded.why.empty()) decoded.reason = BadReason::kFuture;
  }
  if (decoded.why.empty()) {
    writer->commit(offset);
  } else {
    const bool rest = alone || !decoded.whole;
    writer->bad(offset, decoded.reason, decoded.why, rest ? bytes : bytes.substr(0, decoded.size));
  }
  return decoded;
}

}  // namespace tidemill
