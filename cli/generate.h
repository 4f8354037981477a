// `tidemill generate`: writes generated card transactions to files, one per partition:
// <out>/transactions-<partition>.csv or .ndjson; or to a topic. The meaning of the numbers:
// docs/generator.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidemill {

struct GenerateOptions {
  std::string out = ".";  // directory; made if it does not exist
  std::string format;     // csv or ndjson, for a topic csv or json; empty: csv, json
  uint64_t seed = 1;
  uint32_t partitions = 1;      // files, or the topic's
  uint64_t events = 1'000'000;  // per partition
  uint64_t customers = 5'000;
  uint64_t terminals = 10'000;
  double zipf_exponent = 0.8;  // 0: uniform
  std::string start_time = "2018-04-01T00:00:00Z";
  double events_per_second = 100;  // of event time, over all partitions
  double late_share = 0;
  std::string late_by = "1h";  // late events are dated back by up to this
  double tie_share = 0;
  double burst_share = 0;
  double burst_factor = 10;
  double malformed_share = 0;
  double fraud_share = 0.01;
  bool quiet = false;  // no progress bar and no summary
  // To a topic instead: brokers as host:port,host:port.
  std::string kafka;
  std::string topic;
  // round-robin: the generator's partitions are the topic's; customer_id: by a hash of it.
  std::string partition_key = "round-robin";
  std::string timestamps = "event-time";  // of the records; or now
  bool live = false;                      // no event is written before the clock reaches its time
  std::vector<std::string> client;        // NAME=VALUE, settings of librdkafka
};

// The exit code: 0, or 1 after a message on stderr. A file appears under its name only when it is
// complete; one of that name is replaced.
int run_generate(const GenerateOptions& options);

}  // namespace tidemill
