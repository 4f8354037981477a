#include "shared/state/state_directories.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <charconv>

namespace tidemill {
namespace {

Result<std::vector<std::string>> children(rocksdb::Env* env, const std::string& directory) {
  std::vector<std::string> names;
  const rocksdb::Status s = env->GetChildren(directory, &names);
  if (s.IsNotFound() || s.IsPathNotFound()) return std::vector<std::string>{};
  if (!s.ok()) return retryable_error("listing " + directory + ": " + s.ToString());
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  std::sort(names.begin(), names.end());
  return names;
}

// The number behind a prefix; nothing if the name is not of that form.
template <typename Id>
bool numbered(const std::string& name, const std::string& prefix, int base, Id* out) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return false;
  const char* const end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + prefix.size(), end, out->value, base);
  return error == std::errc{} && at == end;
}

}  // namespace

Result<std::vector<std::pair<JobId, KeyPartitionId>>> held_directories(
    const Disk& disk, const std::string& data_dir) {
  std::vector<std::pair<JobId, KeyPartitionId>> out;
  auto jobs = children(disk.env(), data_dir);
  if (!jobs) return jobs.error();
  for (const std::string& job_name : *jobs) {
    JobId job;
    if (!numbered(job_name, "job-", 16, &job)) continue;
    auto partitions = children(disk.env(), data_dir + "/" + job_name);
    if (!partitions) return partitions.error();
    for (const std::string& name : *partitions) {
      KeyPartitionId k;
      if (numbered(name, "k-", 10, &k)) out.emplace_back(job, k);
    }
  }
  return out;
}

Result<std::shared_ptr<void>> lock_data_directory(std::shared_ptr<Disk> disk,
                                                  const std::string& directory) {
  rocksdb::Env* const env = disk->env();
  for (size_t at = directory.find('/', 1); at != std::string::npos;
       at = directory.find('/', at + 1)) {
    env->CreateDirIfMissing(directory.substr(0, at));
  }
  if (const rocksdb::Status s = env->CreateDirIfMissing(directory); !s.ok()) {
    return user_error("making the data directory " + directory + ": " + s.ToString());
  }
  rocksdb::FileLock* lock = nullptr;
  if (const rocksdb::Status s = env->LockFile(directory + "/LOCK", &lock); !s.ok()) {
    return user_error("the data directory " + directory +
                      " is another process's (each needs one of its own): " + s.ToString());
  }
  return std::shared_ptr<void>(lock, [disk = std::move(disk)](void* held) {
    disk->env()->UnlockFile(static_cast<rocksdb::FileLock*>(held)).PermitUncheckedError();
  });
}

Status remove_directory(const Disk& disk, const std::string& directory) {
  rocksdb::Env* const env = disk.env();
  auto names = children(env, directory);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    bool is_directory = false;
    if (env->IsDirectory(path, &is_directory).ok() && is_directory) {
      if (Status removed = remove_directory(disk, path); !removed) return removed;
      continue;
    }
    const rocksdb::Status s = env->DeleteFile(path);
    if (!s.ok() && !s.IsNotFound() && !s.IsPathNotFound()) {
      return retryable_error("removing " + path + ": " + s.ToString());
    }
  }
  const rocksdb::Status s = env->DeleteDir(directory);
  if (!s.ok() && !s.IsNotFound() && !s.IsPathNotFound()) {
    return retryable_error("removing " + directory + ": " + s.ToString());
  }
  return {};
}

}  // namespace tidemill
