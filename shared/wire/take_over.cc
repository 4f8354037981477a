#include "shared/wire/take_over.h"

#include "shared/wire/codec.h"

namespace tidemill {
namespace {

void put_stamp(const Stamp& stamp, ByteWriter* out) {
  out->put(stamp.epoch.value);
  out->put(stamp.version);
}

Stamp get_stamp(ByteReader* in) {
  const Epoch epoch(in->get<uint64_t>());
  return {epoch, in->get<uint64_t>()};
}

}  // namespace

Buffer StateWanted::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(key_partition.value);
  out.put(epoch.value);
  put_stamp(stamp, &out);
  return Buffer(out.take());
}

Result<StateWanted> StateWanted::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  StateWanted m;
  m.job = JobId(in.get<uint32_t>());
  m.key_partition = KeyPartitionId(in.get<uint32_t>());
  m.epoch = Epoch(in.get<uint64_t>());
  m.stamp = get_stamp(&in);
  return checked_message(in, m, "StateWanted");
}

Buffer StateWritten::encode() const {
  ByteWriter out;
  out.put(job.value);
  out.put(key_partition.value);
  out.put(epoch.value);
  put_stamp(stamp, &out);
  out.put(static_cast<uint8_t>(outcome));
  out.put_string(text);
  return Buffer(out.take());
}

Result<StateWritten> StateWritten::decode(const Buffer& bytes) {
  ByteReader in(bytes.bytes());
  StateWritten m;
  m.job = JobId(in.get<uint32_t>());
  m.key_partition = KeyPartitionId(in.get<uint32_t>());
  m.epoch = Epoch(in.get<uint64_t>());
  m.stamp = get_stamp(&in);
  const auto outcome = in.get<uint8_t>();
  m.outcome = static_cast<Outcome>(outcome);
  m.text = in.get_string();
  if (in.ok() && (outcome < 1 || outcome > 4)) return corrupt_error("StateWritten: no outcome");
  return checked_message(in, std::move(m), "StateWritten");
}

}  // namespace tidemill
