// Messages of shared/wire. The first byte chooses the message by its type's number.
#include "shared/wire/frames.h"
#include "shared/wire/messages.h"
#include "shared/wire/source_batch.h"
#include "shared/wire/take_over.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

// What was decoded is what its encoding says.
template <typename Message>
void round_trip(const Buffer& bytes) {
  const auto message = Message::decode(bytes);
  if (!message.ok()) return;
  const Buffer encoded = message->encode();
  const auto again = Message::decode(encoded);
  ASSERT(again.ok());
  ASSERT(again->encode().view() == encoded.view());
}

void source_batch(const Buffer& bytes) {
  const auto batch = SourceBatch::decode(bytes);
  if (!batch.ok()) return;
  for (const SourceBatchPart& part : batch->parts) {
    ASSERT(part.blocks_offset % 8 == 0);
    touch(batch->blocks(part).view());
  }
}

void frames(const Buffer& bytes) {
  const auto message = Frames::decode(bytes);
  if (!message.ok()) return;
  for (const FramePart& part : message->parts) {
    for (const Buffer& payload : part.payload) touch(payload.view());
  }
  round_trip<Frames>(bytes);
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  if (size == 0) return 0;
  const Buffer body(fuzz::copy_of(data + 1, size - 1));
  switch (data[0]) {
    case kOpenSessions:
      fuzz::round_trip<OpenSessions>(body);
      break;
    case kSessionsClosed:
      fuzz::round_trip<SessionsClosed>(body);
      break;
    case kSourceBatch:
      fuzz::source_batch(body);
      break;
    case kBatchAck:
      fuzz::round_trip<BatchAck>(body);
      break;
    case kRegisterReplicas:
      fuzz::round_trip<RegisterReplicas>(body);
      break;
    case kReplicaStates:
      fuzz::round_trip<ReplicaStates>(body);
      break;
    case kFrames:
      fuzz::frames(body);
      break;
    case kFrameAck:
      fuzz::round_trip<FrameAck>(body);
      break;
    case kStateWanted:
      fuzz::round_trip<StateWanted>(body);
      break;
    case kStateWritten:
      fuzz::round_trip<StateWritten>(body);
      break;
    default:
      return -1;  // no message: not worth keeping
  }
  return 0;
}
