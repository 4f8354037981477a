// The micro benchmarks: what one stage costs by itself, per item. docs/performance.md.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
