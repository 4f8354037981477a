// PartitionDisk: the state of one key partition on disk. A directory of its own holds
//
//   base-<epoch>-<version>.sst          all rows up to a version
//   rows-<epoch>-<from>-<to>.sst        what came after version <from> up to version <to>
//   rows-<epoch>-<from>-<to>.log        the same, in the order in which it came
//   manifest-<epoch>-<version>          names the files that make up the state, with checksums
//   links-<n>/                          links to the files, for reading single keys; made when one
//                                       is first asked for, thrown away at every start
//
// (numbers are 16 hex digits). The files are immutable. A manifest is written last and renamed into
// place, with every sync in between, so that a crash at any point leaves the state before or the
// state after. On opening, the newest manifest counts whose files all have their sizes and
// checksums; one that does not verify is set aside with a warning, and the one before it is used.
//
// An SST is sorted by key: per key the rows that came (a merge operand), or what replaces the key
// (a put), and under the key "" the head. An increment is written as a log, which is cheap, and
// sorted together with others once logs are many, or once single keys are read. When increments have
// twice the base's rows, or are more than `max_increments`, the next write cuts a new base, which
// frees what is below the horizon.
//
// blocking, one call at a time (one lane of the blocking pool); no threads of its own.
// Failure: an error leaves the state as it was; kCorrupt: bytes are not what was written.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "proto/state.pb.h"
#include "shared/base/buffer.h"
#include "shared/base/bytes.h"
#include "shared/base/ids.h"
#include "shared/base/result.h"
#include "shared/state/disk.h"
#include "shared/state/state_head.h"
#include "shared/window/table_schema.h"

namespace tidemill {

class SstReaders;

// Of one key partition's state, in the order in which it happened.
struct StateChange {
  enum class Kind : uint8_t {
    kRows,    // row blocks, one after another (shared/window/block_list.h)
    kImages,  // key images, one after another (shared/window/image.h): each replaces its key
  };
  Kind kind = Kind::kRows;
  Buffer bytes;
};

struct Increment {
  StateHead head;             // of the state after it
  uint64_t from_version = 0;  // of the state before it
  bool whole = false;         // nothing of the state before it is kept
  std::vector<StateChange> changes;
  int64_t taken_at_us = 0;  // wall clock
};

struct StateKey {
  uint16_t table = 0;
  uint64_t hash = 0;
  std::string key;
};

struct PartitionDiskConfig {
  std::shared_ptr<Disk> disk;
  std::string directory;
  JobId job;
  KeyPartitionId key_partition;
  TableSchemas schemas;
  uint32_t max_increments = 64;
  uint64_t log_limit_bytes = 64u << 20;  // of all logs: they are read at once
  // Shared by all states of a process; null: its own.
  std::shared_ptr<SstReaders> readers = nullptr;
};

// A walk over a state as it was when the walk began, whatever is written meanwhile. Must not
// outlive its PartitionDisk; used on its lane.
class StateScan {
 public:
  virtual ~StateScan() = default;
  // Of the state that is walked.
  virtual const StateHead& head() const = 0;
  // All keys, not only those changed since what was asked for.
  virtual bool whole() const = 0;
  // Appends key images until they are about `max_bytes`. False: there are no more.
  virtual Result<bool> next(size_t max_bytes, ByteWriter* images) = 0;
};

class PartitionDisk {
 public:
  // Creates the directory if there is none.
  static Result<std::unique_ptr<PartitionDisk>> open(PartitionDiskConfig config);
  virtual ~PartitionDisk() = default;

  // Other features are asked for over the same tables, which may keep rows longer, and further ones
  // (reads_states_of()). Leaves of tiles that are folded from now on hold what these need; scans
  // that have begun go on as they were.
  virtual void set_schemas(TableSchemas schemas) = 0;

  // What is held and durable; null: nothing.
  virtual const proto::StateManifest* manifest() const = 0;
  // How many manifests did not verify when it was opened.
  virtual uint32_t refused_manifests() const = 0;
  const std::string& directory() const { return config_.directory; }
  const PartitionDiskConfig& config() const { return config_; }

  // Adds an increment whose from_version is the version held (0 and `whole`: any), or instead of
  // it a new base. Durable on return.
  virtual Status write(const Increment& increment) = 0;
  // The state becomes that of a manifest whose files are in the directory under their names; they
  // are verified first. Durable on return.
  virtual Status adopt(const proto::StateManifest& manifest) = 0;
  // True if a file of that name is in the directory with its size and checksum.
  virtual bool has(const proto::StateFile& file) const = 0;
  // Files in the directory that no held manifest names (the newest and the one before it are held)
  // are removed. Done by write() and adopt() as well.
  virtual Status remove_unused() = 0;
  // Notes where files of the newest manifest are in snapshot storage; durable.
  virtual Status note_objects(const std::vector<proto::StateFile>& files) = 0;

  // Images of these keys in the state held, by position; empty: no rows. From then on increments
  // are sorted.
  virtual Result<std::vector<std::vector<uint8_t>>> get(std::span<const StateKey> keys) = 0;
  // Images of all keys, or if `since` is a version from which increments are at hand, of those
  // changed after it.
  virtual Result<std::unique_ptr<StateScan>> scan(std::optional<uint64_t> since) = 0;
  // Memory of the files that are open for get(): indexes and filters.
  virtual uint64_t memory_bytes() const = 0;

 protected:
  explicit PartitionDisk(PartitionDiskConfig config) : config_(std::move(config)) {}

  PartitionDiskConfig config_;
};

// The directory of a key partition below a process's data directory.
std::string partition_directory(const std::string& data_dir, JobId job, KeyPartitionId k);

// The file form of a manifest.
std::vector<uint8_t> encode_manifest(const proto::StateManifest& manifest);
Result<proto::StateManifest> decode_manifest(std::span<const uint8_t> bytes);

// Bytes of a file with the checksum that manifests hold; kCorrupt if it differs from `file`.
Status verify_file(const Disk& disk, const std::string& path, const proto::StateFile& file);

}  // namespace tidemill
