#include "shared/state/state_directory.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "shared/base/mutation.h"
#include "shared/obs/log.h"
#include "shared/state/env_files.h"
#include "shared/state/manifest.h"
#include "shared/state/state_directories.h"
#include "shared/state/state_file.h"

namespace tidemill {
namespace {

constexpr std::string_view kTemporary = ".tmp";
constexpr std::string_view kLinks = "links-";

// A name of the kinds that this module makes.
bool is_ours(const std::string& name) {
  Stamp stamp;
  return is_state_file_name(name) || parse_manifest_name(name, &stamp) ||
         name.ends_with(kTemporary) || name.starts_with(kLinks);
}

}  // namespace

StateDirectory::StateDirectory(const PartitionDiskConfig& config)
    : disk_(config.disk),
      directory_(config.directory),
      job_(config.job),
      key_partition_(config.key_partition),
      schemas_(config.schemas) {}

Result<StateDirectory::Loaded> StateDirectory::load() {
  if (Status made = create_directories(env(), directory_); !made) return made.error();
  std::vector<std::string> names;
  if (auto s = env()->GetChildren(directory_, &names); !s.ok()) {
    return disk_error("listing " + directory_, s);
  }
  Stamp stamp;
  std::erase_if(names, [&](const std::string& name) { return !parse_manifest_name(name, &stamp); });
  std::sort(names.begin(), names.end(), std::greater<>());  // the newest first
  Loaded loaded;
  verified_.clear();
  for (const std::string& name : names) load_one(name, &loaded);
  verified_.clear();
  return loaded;
}

void StateDirectory::load_one(const std::string& name, Loaded* loaded) {
  if (loaded->previous) return;
  auto manifest = read(name);
  Status good = !manifest         ? Status(manifest.error())
                : !loaded->newest ? verify(*manifest)
                                  : check_identity(*manifest);
  if (!good) {
    if (!loaded->newest) refuse(name, good.error(), loaded);
    return;
  }
  (loaded->newest ? loaded->previous : loaded->newest) = std::move(*manifest);
}

void StateDirectory::refuse(const std::string& name, const Error& error, Loaded* loaded) const {
  ++loaded->refused;
  log_event(LogLevel::kWarning, "state_manifest_refused",
            {{"file", path(name)},
             {"reason", error.message()},
             {"job", job_.value},
             {"key_partition", key_partition_.value}});
}

Result<proto::StateManifest> StateDirectory::read(const std::string& name) const {
  auto bytes = read_whole_file(env(), path(name), kManifestBytesMax);
  if (!bytes) return bytes.error();
  auto manifest = decode_manifest(*bytes);
  if (manifest && manifest_file_name(stamp_of(*manifest)) != name) {
    return corrupt_error("the manifest in it is called " + manifest_file_name(stamp_of(*manifest)));
  }
  return manifest;
}

Status StateDirectory::check_identity(const proto::StateManifest& manifest) const {
  if (manifest.job() != job_.value || manifest.key_partition() != key_partition_.value) {
    return corrupt_error("it is of key partition " + std::to_string(manifest.key_partition()) +
                         " of job " + std::to_string(manifest.job()));
  }
  if (!reads_states_of(*schemas_, manifest.schema_hash())) {
    return corrupt_error("it was written for other tables than this job's");
  }
  return {};
}

Status StateDirectory::verify(const proto::StateManifest& manifest) {
  if (Status same = check_identity(manifest); !same) return same;
  if (Status good = check_manifest(manifest); !good) return good;
  for (const proto::StateFile& file : manifest.files()) {
    if (verified_.contains(file.name())) continue;
    if (Status good = verify_file(*disk_, path(file.name()), file); !good) return good;
  }
  const proto::StateFile& last = *manifest.files().rbegin();
  auto head = check_state_file(*disk_, path(last.name()), last, false);
  if (!head) return head.error();
  if (*head != from_proto(manifest.head())) {
    return corrupt_error("the head in " + last.name() + " is not that of the manifest");
  }
  for (const proto::StateFile& file : manifest.files()) verified_.insert(file.name());
  return {};
}

Status StateDirectory::commit(const proto::StateManifest& manifest) {
  if (Status synced = sync_directory(env(), directory_); !synced) return synced;
  return replace_file(env(), directory_, manifest_file_name(stamp_of(manifest)),
                      encode_manifest(manifest));
}

Status StateDirectory::remove_unused(const std::vector<const proto::StateManifest*>& held,
                                     const std::string& links) {
  std::unordered_set<std::string> used{links};
  for (const proto::StateManifest* manifest : held) {
    used.insert(manifest_file_name(stamp_of(*manifest)));
    for (const proto::StateFile& file : manifest->files()) used.insert(file.name());
  }
  std::vector<std::string> names;
  Status first = to_status("listing " + directory_, env()->GetChildren(directory_, &names));
  std::erase_if(names, [&](const std::string& n) { return used.contains(n) || !is_ours(n); });
  // Manifests before the files that they name.
  std::sort(names.begin(), names.end());
  std::stable_partition(names.begin(), names.end(), [](const std::string& name) {
    Stamp stamp;
    return parse_manifest_name(name, &stamp);
  });
  for (const std::string& name : names) {
    Status gone = name.starts_with(kLinks)
                      ? remove_directory(*disk_, path(name))
                      : to_status("removing " + path(name), env()->DeleteFile(path(name)));
    if (first && !gone) first = gone;
  }
  return first;
}

Status verify_file(const Disk& disk, const std::string& path, const proto::StateFile& file) {
  uint64_t size = 0;
  if (auto s = disk.env()->GetFileSize(path, &size); !s.ok()) {
    return disk_error("verifying " + path, s);
  }
  if (size != file.bytes()) {
    return corrupt_error(path + " has " + std::to_string(size) + " bytes instead of " +
                         std::to_string(file.bytes()));
  }
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash(XXH3_createState(),
                                                                      XXH3_freeState);
  XXH3_64bits_reset(hash.get());
  Status read = read_pieces(disk.env(), path, [&](std::span<const uint8_t> piece) {
    XXH3_64bits_update(hash.get(), piece.data(), piece.size());
  });
  if (!read) return read;
  if (XXH3_64bits_digest(hash.get()) != file.checksum() &&
      !mutated(Mutation::kTrustDamagedManifest)) {
    return corrupt_error("the checksum of " + path + " does not match");
  }
  return {};
}

}  // namespace tidemill
