// ZipfTable: ranks 1..n, rank k with a probability proportional to k^-exponent, drawn by looking a
// hash up in a table of integers: the same rank for the same hash on every machine. The first
// ranks have an entry each; behind them an entry is a run of ranks, 1/64 of its start wide, which
// share its probability evenly. So the table is small whatever n is.
// immutable
#pragma once

#include <cstdint>
#include <vector>

namespace tidemill {

class ZipfTable {
 public:
  // 1 <= n <= 2^32, 0 <= exponent <= 10. Exponent 0 is uniform.
  ZipfTable(uint64_t n, double exponent);

  // The rank for a hash; `within` is another hash, which chooses inside a run.
  uint64_t rank(uint64_t hash, uint64_t within) const;

 private:
  struct Run {
    uint64_t last_hash = 0;  // hashes up to here, above those of the run before
    uint64_t first_rank = 0;
    uint64_t ranks = 0;
  };

  std::vector<Run> runs_;
  std::vector<uint32_t> guide_;  // first run for the top bits of a hash
};

// `hash` scaled to [0, n).
inline uint64_t scale_hash(uint64_t hash, uint64_t n) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(hash) * n) >> 64);
}

}  // namespace tidemill
