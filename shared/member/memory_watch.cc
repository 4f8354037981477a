#include "shared/member/memory_watch.h"

#include <memory>
#include <utility>

#include "shared/base/memory_account.h"

namespace tidemill {
namespace {

constexpr int64_t kLookUs = 100'000;
constexpr int64_t kUnboundedLookUs = 1'000'000;
constexpr uint64_t kLane = UINT64_MAX - 1;

struct MemoryRead : LocalPayload {
  uint64_t bytes = 0;
};

}  // namespace

MemoryWatch::MemoryWatch(Runtime& runtime, ActorId actor, uint64_t budget_bytes, uint16_t shards,
                         ProcessMemory memory)
    : runtime_(runtime),
      actor_(actor),
      budget_(budget_bytes),
      shards_(shards),
      memory_(std::move(memory)),
      limit_(budget_bytes, shards) {}

void MemoryWatch::tick(uint64_t accounted_bytes) {
  const int64_t now_us = runtime_.monotonic_us();
  if (looking_ || now_us < next_look_us_) return;
  next_look_us_ = now_us + (bounded() ? kLookUs : kUnboundedLookUs);
  if (!memory_.resident_bytes) return observe(accounted_bytes * shards_, accounted_bytes);
  looking_ = true;
  runtime_.run_blocking(actor_, kLane, [read = memory_.resident_bytes] {
    auto out = std::make_unique<MemoryRead>();
    out->bytes = read();
    return out;
  });
}

bool MemoryWatch::receive(LocalPayload* payload, uint64_t accounted_bytes) {
  const auto* read = dynamic_cast<MemoryRead*>(payload);
  if (read == nullptr) return false;
  looking_ = false;
  observe(read->bytes, accounted_bytes);
  return true;
}

void MemoryWatch::add_process_use(MemoryUse* out) const {
  if (!memory_.counted) return;
  for (size_t i = 0; i < static_cast<size_t>(MemoryConsumer::kCount); ++i) {
    const auto consumer = static_cast<MemoryConsumer>(i);
    (*out)[MemoryAccount::name(consumer)] += MemoryAccount::bytes(consumer);
  }
}

void MemoryWatch::observe(uint64_t process_bytes, uint64_t accounted_bytes) {
  resident_bytes_ = process_bytes;
  if (limit_.observe(process_bytes, accounted_bytes) && memory_.release) memory_.release();
}

}  // namespace tidemill
