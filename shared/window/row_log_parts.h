// The parts of a row log that its own files share: making sealed chunks, and the books of them.
#pragma once

#include "shared/window/row_log.h"

namespace tidemill {

// Takes over a chunk in canonical order.
SealedChunk sealed_chunk(Chunk* chunk);

void drop_cache(SummaryCache* cache, StateBytes* bytes);
void drop_caches(const ChunkGroup& group, StateBytes* bytes);

// Of the group, of the list, without what they point to.
uint64_t group_bytes(const ChunkGroup& group);
uint64_t list_bytes(const SealedChunks& sealed);

}  // namespace tidemill
