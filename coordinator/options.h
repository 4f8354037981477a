// The options of the coordinator's process; config/coordinator.yaml shows them with their defaults.
#pragma once

#include <string>

#include "coordinator/config.h"
#include "shared/net/process_config.h"

namespace tidemill {

struct CoordinatorOptions {
  std::string data_dir;
  std::string listen = "tcp://127.0.0.1:7100";
  std::string http = "127.0.0.1:7180";
  std::string advertise_http;  // empty: `http`
  std::string etcd;            // empty: metadata in data_dir, and no other coordinator
  std::string etcd_prefix = "tidemill/";
  int64_t etcd_ttl_s = 3;
  std::string snapshots = "snapshots";
  CoordinatorConfig coordinator;
};

void add_options(ProcessConfig* config, CoordinatorOptions* options);

}  // namespace tidemill
