// SimFiles: the files of one simulated machine, in memory, as POSIX promises them and no better:
// what was written and not synced, and names that were made, changed or removed without a sync of
// their directory, may be lost when power is. Names of one directory are lost from the last change
// backwards; a rename within a directory is one change, one between directories is two.
//
// Not thread-safe. Paths are absolute.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/runtime/random.h"

namespace tidemill::test {

struct SimNode;
using SimNodePtr = std::shared_ptr<SimNode>;

// A file or directory; names lead to it.
struct SimNode {
  // Of a directory: `name` is `node` from now on (null: nothing), and `gone`, if there is one, is
  // nothing.
  struct Change {
    std::string name;
    SimNodePtr node;
    std::string gone;
  };

  bool directory = false;
  int names = 0;  // that lead to it
  // Of a file.
  std::string bytes;
  size_t synced = 0;                  // so many of them are durable, if nothing below was changed
  std::optional<std::string> before;  // what is durable instead
  // A sync has failed: nothing that was written until then becomes durable any more, as on Linux.
  bool sync_failed = false;
  int writers = 0;  // open for writing
  // Of a directory.
  std::map<std::string, SimNodePtr> entries;
  std::map<std::string, SimNodePtr> durable;
  std::vector<Change> changes;  // from `durable` to `entries`
};

enum class SimFileError { kNone, kNotFound, kExists, kNotDirectory, kIsDirectory, kNotEmpty };

// What was lost with the power.
struct SimLosses {
  uint64_t files = 0;    // whose bytes are not all there, or not as they were
  uint64_t torn = 0;     // of these: some unsynced bytes are left, or garbage is in their place
  uint64_t changes = 0;  // of names
};

class SimFiles {
 public:
  SimFiles();

  SimNodePtr find(const std::string& path) const;  // null: nothing there
  // An empty file, whatever was there.
  SimFileError create(const std::string& path, SimNodePtr* file);
  SimFileError make_directory(const std::string& path);
  SimFileError remove(const std::string& path);
  SimFileError remove_directory(const std::string& path);
  SimFileError rename(const std::string& from, const std::string& to);
  SimFileError link(const std::string& from, const std::string& to);

  static void append(SimNode* file, std::string_view bytes);
  static void write(SimNode* file, size_t offset, std::string_view bytes);
  static void resize(SimNode* file, size_t size);
  static void sync(SimNode* file);             // its bytes
  static void sync_names(SimNode* directory);  // its names

  // Unsynced bytes and names are lost, but for parts that `random` chooses.
  SimLosses lose_power(Random* random);
  void wipe();

  // All files, by path, to look at and to spoil.
  std::map<std::string, SimNodePtr> all() const;

 private:
  SimNode* parent_of(const std::string& path, std::string* name) const;

  SimNodePtr root_;
};

}  // namespace tidemill::test
