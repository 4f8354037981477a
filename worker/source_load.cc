#include "worker/source_load.h"

namespace tidemill {
namespace {

struct Disposed : LocalPayload {};

}  // namespace

void dispose(Runtime& runtime, ActorId self, uint64_t lane, std::unique_ptr<BatchLoader> loader) {
  if (!loader) return;
  std::shared_ptr<BatchLoader> kept = std::move(loader);
  runtime.run_blocking(self, lane, [kept = std::move(kept)]() mutable {
    kept.reset();
    return std::make_unique<Disposed>();
  });
}

// Anew for each start of the main read: others may have written what lies before it.
Status SourceLoad::open_letters() {
  if (letters->writer && letters->generation == done->generation) return {};
  auto writer = letters->storage->open(plan->proto().job(), done->job, done->source, done->epoch);
  if (!writer) return writer.error();
  letters->writer = std::move(writer).value();
  letters->generation = done->generation;
  return {};
}

Status SourceLoad::open_loader() {
  done->nothing_to_read = from.finished && !follow;
  if (done->nothing_to_read) return {};
  auto opened = BatchLoader::open(plan, done->source.value, from);
  if (opened) {
    done->loader = std::move(opened).value();
    return {};
  }
  done->nothing_to_read = from.finished && opened.error().code() == ErrorCode::kSourceChanged;
  return done->nothing_to_read ? Status() : opened.error();
}

Status SourceLoad::run(const Runtime& runtime) {
  if (letters) {
    if (Status opened = open_letters(); !opened) return opened;
    done->dead_letters = letters->writer->counts();
  }
  if (!done->loader) {
    if (Status opened = open_loader(); !opened || done->nothing_to_read) return opened;
  }
  DeadLetterWriter* const writer = letters ? letters->writer.get() : nullptr;
  const LoadClock clock{runtime.wall_us(), [&runtime] { return runtime.thread_cpu_ns(); }};
  if (Status loaded = done->loader->load(clock, limits, writer, done->batch.get()); !loaded) {
    return loaded;
  }
  done->log = done->loader->log_info();
  if (applied > 0) done->loader->commit(applied);
  if (letters) done->dead_letters = letters->writer->counts();
  return {};
}

}  // namespace tidemill
