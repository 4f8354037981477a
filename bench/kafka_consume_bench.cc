// What librdkafka alone costs: reads every partition of a topic from its start to its end, with CRC
// checks and queues of its default size, and drops what it reads. CPU time is of all threads of the
// process. Prints one line of JSON.
//   kafka_consume_bench HOST:PORT TOPIC
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr int kTimeoutMs = 30'000;
// A batch that is not full is waited for no longer; the last one never is full.
constexpr int kBatchWaitMs = 50;
constexpr size_t kBatch = 4096;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "kafka_consume_bench: %s\n", what.c_str());
  std::exit(1);
}

void require(rd_kafka_resp_err_t error, const std::string& what) {
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) fail(what + ": " + rd_kafka_err2str(error));
}

rd_kafka_t* open_consumer(const char* brokers) {
  std::array<char, 512> reason{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::array<std::array<const char*, 2>, 7> settings = {{{"bootstrap.servers", brokers},
                                                               {"group.id", "kafka_consume_bench"},
                                                               {"enable.auto.commit", "false"},
                                                               {"auto.offset.reset", "error"},
                                                               {"enable.partition.eof", "true"},
                                                               {"check.crcs", "true"},
                                                               {"log_level", "2"}}};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name, value, reason.data(), reason.size()) != RD_KAFKA_CONF_OK) {
      fail(reason.data());
    }
  }
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason.data(), reason.size());
  if (client == nullptr) fail(reason.data());
  return client;
}

int count_partitions(rd_kafka_t* client, const char* name) {
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, name, nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  require(rd_kafka_metadata(client, 0, topic, &metadata, kTimeoutMs), "metadata");
  require(metadata->topics[0].err, std::string("topic ") + name);
  const int partitions = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(topic);
  return partitions;
}

void assign_from_start(rd_kafka_t* client, const char* topic, int partitions) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
  for (int p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  require(rd_kafka_assign(client, list), "assign");
  rd_kafka_topic_partition_list_destroy(list);
}

struct Read {
  uint64_t records = 0;
  uint64_t bytes = 0;
};

Read read_to_end(rd_kafka_t* client, int partitions) {
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(client);
  std::vector<rd_kafka_message_t*> messages(kBatch);
  Read read;
  int waited_ms = 0;
  for (int ended = 0; ended < partitions;) {
    const ssize_t got =
        rd_kafka_consume_batch_queue(queue, kBatchWaitMs, messages.data(), messages.size());
    waited_ms = got > 0 ? 0 : waited_ms + kBatchWaitMs;
    if (waited_ms > kTimeoutMs) fail("nothing came for " + std::to_string(waited_ms) + " ms");
    for (ssize_t i = 0; i < got; ++i) {
      rd_kafka_message_t* message = messages[static_cast<size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ++ended;
      } else {
        require(message->err, "consume");
        ++read.records;
        read.bytes += message->len;
      }
      rd_kafka_message_destroy(message);
    }
  }
  rd_kafka_queue_destroy(queue);
  return read;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) fail("usage: kafka_consume_bench HOST:PORT TOPIC");
  rd_kafka_t* client = open_consumer(argv[1]);
  const int partitions = count_partitions(client, argv[2]);
  const auto began = std::chrono::steady_clock::now();
  const double cpu_before = cpu_seconds();
  assign_from_start(client, argv[2], partitions);
  const Read read = read_to_end(client, partitions);
  const double cpu = cpu_seconds() - cpu_before;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf(R"({"records": %llu, "bytes": %llu, "seconds": %.3f, "cpu_seconds": %.3f, )"
              R"("records_per_second": %.0f, "records_per_cpu_second": %.0f})"
              "\n",
              static_cast<unsigned long long>(read.records),
              static_cast<unsigned long long>(read.bytes), took.count(), cpu,
              static_cast<double>(read.records) / took.count(),
              static_cast<double>(read.records) / cpu);
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  return 0;
}
