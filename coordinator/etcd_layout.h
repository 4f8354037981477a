// How the coordinator's metadata lie in etcd (docs/formats/coordinator_metadata.md): a commit as
// transactions that etcd takes, and what was read as keys and values again. Pure functions.
//
// A commit is one transaction where it fits. Otherwise its values are written in pieces under keys
// that nobody reads yet, and one transaction names them: that is the moment of the commit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/etcd_client.h"
#include "coordinator/key_value_store.h"
#include "proto/etcd.pb.h"

namespace tidemill {

inline constexpr uint32_t kEtcdFormatVersion = 1;

// Below what etcd takes by default: 1.5 MiB for a request, 128 operations for a transaction.
struct EtcdLimits {
  size_t value_bytes = 256u << 10;  // of one key; longer values are cut into pieces
  size_t txn_bytes = 1u << 20;      // of the keys and values of one transaction, about
  size_t txn_ops = 100;
};

// One transaction of a commit. Applied only where the head's bytes are `head_before` (empty: there
// is none), which makes them `head_after`. Applying it again changes nothing.
struct EtcdStep {
  std::vector<EtcdOp> ops;  // keys with the prefix
  std::string head_before;
  std::string head_after;
};

// What etcd holds of one moment, all below one prefix.
struct EtcdContents {
  std::string head;                            // bytes of the EtcdHead; empty: none
  std::map<std::string, std::string> chunked;  // keys whose values are in pieces: where
  friend bool operator==(const EtcdContents&, const EtcdContents&) = default;
};

struct EtcdPlan {
  std::vector<EtcdStep> steps;
  EtcdContents after;  // when all steps are done
};

// The transactions that commit `batch`. Sizes: every one is within `limits`, but for a single key
// and value, which are within value_bytes.
EtcdPlan plan_commit(const std::string& prefix, const EtcdContents& before,
                     const KeyValueBatch& batch, const EtcdLimits& limits);

struct EtcdRead {
  KeyValues values;
  EtcdContents contents;
  // What is left to do of the last commit, and what an interrupted one has left behind.
  std::vector<EtcdStep> repairs;
};

// `raw`: every key that begins with `prefix`, and its bytes. kCorrupt.
Result<EtcdRead> read_contents(const std::string& prefix, std::map<std::string, std::string> raw,
                               const EtcdLimits& limits);

inline std::string etcd_head_key(const std::string& prefix) { return prefix + "head"; }
inline std::string etcd_leader_key(const std::string& prefix) { return prefix + "leader"; }

}  // namespace tidemill
