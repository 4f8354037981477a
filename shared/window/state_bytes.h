// StateBytes: what a state takes in memory, kept exact by whoever allocates and frees for it: a sum,
// of which the chunks of rows are known. The rest is what is kept beside rows: summaries of chunks
// and groups, sketches, tiles, bases, which rows count, and lists of all this.
#pragma once

#include <cstdint>

namespace tidemill {

class StateBytes {
 public:
  operator uint64_t() const { return all_; }
  uint64_t of_chunks() const { return chunks_; }

  StateBytes& operator+=(uint64_t bytes) {
    all_ += bytes;
    return *this;
  }
  StateBytes& operator-=(uint64_t bytes) {
    all_ -= bytes;
    return *this;
  }
  void add_chunk(uint64_t bytes) {
    all_ += bytes;
    chunks_ += bytes;
  }
  void remove_chunk(uint64_t bytes) {
    all_ -= bytes;
    chunks_ -= bytes;
  }

 private:
  uint64_t all_ = 0;
  uint64_t chunks_ = 0;
};

}  // namespace tidemill
