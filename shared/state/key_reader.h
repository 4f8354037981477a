// KeyReader: reads single keys from the SST files of a state. It holds links to them in a directory
// of its own, which is thrown away with it, so that the state may go on without them. Files are
// opened when they are read, and closed again by SstReaders.
//
// blocking, one call at a time
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/state/disk.h"
#include "shared/state/sst_readers.h"

namespace tidemill {

class KeyReader {
 public:
  // In a new directory, of these files, oldest first.
  static Result<std::unique_ptr<KeyReader>> open(std::shared_ptr<Disk> disk,
                                                 std::shared_ptr<SstReaders> readers,
                                                 const std::string& directory,
                                                 const std::vector<std::string>& files);
  ~KeyReader();

  // The newest files; they are not changed.
  Status ingest(const std::vector<std::string>& files);
  // By position what the files hold of a key, newest first, up to what replaces all before it; of
  // kHeadKey that of the newest file. `keys` as encode_state_key() makes them.
  Result<std::vector<std::vector<std::string>>> get(const std::vector<std::string>& keys);
  uint64_t memory_bytes() const;  // of its files that are open

 private:
  KeyReader(std::shared_ptr<Disk> disk, std::shared_ptr<SstReaders> readers, std::string directory);

  Status read_file(const std::string& file, const std::vector<std::string>& keys,
                   std::vector<size_t>* wanted, std::vector<std::vector<std::string>>* values);

  std::shared_ptr<Disk> disk_;
  std::shared_ptr<SstReaders> readers_;
  std::string directory_;
  std::vector<std::string> links_;  // oldest first
};

}  // namespace tidemill
