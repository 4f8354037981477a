#include "shared/state/key_reader.h"

#include <rocksdb/env.h>
#include <rocksdb/sst_file_reader.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "shared/state/env_files.h"
#include "shared/state/sst_file.h"
#include "shared/state/state_directories.h"
#include "shared/state/state_value.h"

namespace tidemill {
namespace {

// Nothing of the key in older files counts.
bool replaces_older(std::string_view key, std::string_view value) {
  return key == kHeadKey ||
         (!value.empty() && static_cast<PartKind>(value.front()) == PartKind::kImage);
}

}  // namespace

KeyReader::KeyReader(std::shared_ptr<Disk> disk, std::shared_ptr<SstReaders> readers,
                     std::string directory)
    : disk_(std::move(disk)), readers_(std::move(readers)), directory_(std::move(directory)) {}

KeyReader::~KeyReader() {
  for (const std::string& link : links_) readers_->forget(link);
  // What cannot be removed now is removed as unused later.
  static_cast<void>(remove_directory(*disk_, directory_).ok());
}

Result<std::unique_ptr<KeyReader>> KeyReader::open(std::shared_ptr<Disk> disk,
                                                   std::shared_ptr<SstReaders> readers,
                                                   const std::string& directory,
                                                   const std::vector<std::string>& files) {
  const auto created = disk->env()->CreateDirIfMissing(directory);
  if (!created.ok()) return disk_error("creating " + directory, created);
  if (readers == nullptr) readers = std::make_shared<SstReaders>();
  std::unique_ptr<KeyReader> out(new KeyReader(std::move(disk), std::move(readers), directory));
  if (Status ingested = out->ingest(files); !ingested) return ingested.error();
  return out;
}

Status KeyReader::ingest(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    const std::string link = directory_ + "/link-" + std::to_string(links_.size());
    if (Status linked = link_or_copy(disk_->env(), file, link); !linked) return linked;
    links_.push_back(link);
  }
  return {};
}

Result<std::vector<std::vector<std::string>>> KeyReader::get(const std::vector<std::string>& keys) {
  std::vector<std::vector<std::string>> values(keys.size());
  std::vector<size_t> wanted(keys.size());
  std::iota(wanted.begin(), wanted.end(), size_t{0});
  std::sort(wanted.begin(), wanted.end(), [&](size_t a, size_t b) { return keys[a] < keys[b]; });
  for (auto link = links_.rbegin(); link != links_.rend() && !wanted.empty(); ++link) {
    if (Status read = read_file(*link, keys, &wanted, &values); !read) return read.error();
  }
  return values;
}

uint64_t KeyReader::memory_bytes() const {
  uint64_t bytes = 0;
  for (const std::string& link : links_) bytes += readers_->bytes_of(link);
  return bytes;
}

Status KeyReader::read_file(const std::string& file, const std::vector<std::string>& keys,
                            std::vector<size_t>* wanted,
                            std::vector<std::vector<std::string>>* values) {
  auto reader = readers_->open(disk_->env(), file);
  if (!reader) return reader.error();
  rocksdb::ReadOptions options;
  options.total_order_seek = false;  // the filter tells which keys are not there
  const std::unique_ptr<rocksdb::Iterator> at((*reader)->NewIterator(options));
  std::vector<size_t> older;
  for (const size_t i : *wanted) {
    at->Seek(keys[i]);
    if (!at->status().ok()) return disk_error("reading " + file, at->status());
    const bool found = at->Valid() && at->key() == keys[i];
    if (found) (*values)[i].emplace_back(at->value().data(), at->value().size());
    const bool done = found && replaces_older(keys[i], {at->value().data(), at->value().size()});
    if (!done) older.push_back(i);
  }
  wanted->swap(older);
  return {};
}

}  // namespace tidemill
