// KeyValueStore: where the coordinator's metadata is kept durably: an embedded RocksDB
// (rocksdb_store.h), or etcd (etcd_store.h). Keys are short text, values are bytes of any length.
//
// blocking: used on the blocking pool only, by one task at a time (one lane).
// Failure: kCorrupt when what is stored cannot be what was written, kFenced when another
// coordinator has taken over, kFatal otherwise. After a failed commit the store is not used any
// more.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

struct KeyValueChange {
  std::string key;
  std::optional<std::string> value;  // nothing: the key is removed
  friend bool operator==(const KeyValueChange&, const KeyValueChange&) = default;
};

// No key twice.
using KeyValueBatch = std::vector<KeyValueChange>;
using KeyValues = std::map<std::string, std::string>;

class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;

  // Everything that is durable, of one moment.
  virtual Result<KeyValues> load() = 0;

  // All changes or none; durable on return.
  virtual Status commit(const KeyValueBatch& batch) = 0;

  // The generation noted last, kept apart from the values, so that a store which has lost them is
  // noticed; 0: none was noted.
  virtual Result<uint64_t> noted_generation() = 0;
  virtual Status note_generation(uint64_t generation) = 0;
};

}  // namespace tidemill
