#include "tests/simulation/sim_disk.h"

#include <utility>

#include "tests/simulation/sim_disk_core.h"

namespace tidemill::test {

using Lock = std::lock_guard<std::mutex>;

std::string_view disk_fault_name(DiskFault fault) {
  switch (fault) {
    case DiskFault::kCrash:
      return "disk_crash_in_change";
    case DiskFault::kPowerLost:
      return "disk_power_lost";
    case DiskFault::kBytesLost:
      return "disk_bytes_lost";
    case DiskFault::kTorn:
      return "disk_torn_write";
    case DiskFault::kNamesLost:
      return "disk_names_lost";
    case DiskFault::kFull:
      return "disk_full";
    case DiskFault::kFailedRead:
      return "disk_failed_read";
    case DiskFault::kFailedWrite:
      return "disk_failed_write";
    case DiskFault::kFailedSync:
      return "disk_failed_sync";
    case DiskFault::kBitFlipped:
      return "disk_bit_flipped";
    case DiskFault::kBaseCut:
      return "disk_bases_cut";
    case DiskFault::kWiped:
      return "disk_wiped";
    case DiskFault::kCount:
      break;
  }
  return "unknown";
}

DiskVerdict SimDisk::Core::admit(SimMount* mount, DiskOp op) {
  if (mount->gone) return DiskVerdict::kGone;
  if (std::this_thread::get_id() != owner) return DiskVerdict::kPass;
  if (op == DiskOp::kLook) return DiskVerdict::kPass;
  if (op != DiskOp::kRead && ++mount->changes == crash_at) {
    crash_at = 0;
    mount->gone = true;
    count(DiskFault::kCrash);
    std::exchange(crashed, {})();
    return op == DiskOp::kWrite ? DiskVerdict::kTorn : DiskVerdict::kGone;
  }
  if (full && (op == DiskOp::kWrite || op == DiskOp::kNewName)) {
    count(DiskFault::kFull);
    return DiskVerdict::kFull;
  }
  const bool of_bytes = op == DiskOp::kRead || op == DiskOp::kWrite || op == DiskOp::kSync;
  if (!of_bytes || failing == 0 || !random.chance(failing)) return DiskVerdict::kPass;
  count(op == DiskOp::kRead    ? DiskFault::kFailedRead
        : op == DiskOp::kWrite ? DiskFault::kFailedWrite
                               : DiskFault::kFailedSync);
  return DiskVerdict::kFailed;
}

SimDisk::SimDisk(uint64_t seed) : core_(std::make_shared<Core>(seed)) {}
SimDisk::~SimDisk() { unmount(); }

std::shared_ptr<Disk> SimDisk::mount() {
  unmount();
  auto mount = std::make_shared<SimMount>();
  {
    const Lock lock(core_->mutex);
    core_->mounted = mount;
  }
  return std::make_shared<Disk>(make_sim_env(core_, std::move(mount)));
}

void SimDisk::unmount() {
  const Lock lock(core_->mutex);
  if (core_->mounted != nullptr) core_->mounted->gone = true;
  core_->mounted.reset();
  core_->crash_at = 0;
  core_->crashed = {};
}

void SimDisk::lose_power() {
  unmount();
  const Lock lock(core_->mutex);
  const SimLosses losses = core_->files.lose_power(&core_->random);
  core_->count(DiskFault::kPowerLost);
  core_->count(DiskFault::kBytesLost, losses.files);
  core_->count(DiskFault::kTorn, losses.torn);
  core_->count(DiskFault::kNamesLost, losses.changes);
}

void SimDisk::wipe() {
  unmount();
  const Lock lock(core_->mutex);
  core_->files.wipe();
  core_->count(DiskFault::kWiped);
}

void SimDisk::crash_at(uint64_t change, std::function<void()> crashed) {
  const Lock lock(core_->mutex);
  if (core_->mounted == nullptr || core_->mounted->gone) return;
  core_->crash_at = core_->mounted->changes + change;
  core_->crashed = std::move(crashed);
}

uint64_t SimDisk::changes() const {
  const Lock lock(core_->mutex);
  return core_->mounted == nullptr ? 0 : core_->mounted->changes;
}

void SimDisk::set_full(bool full) {
  const Lock lock(core_->mutex);
  core_->full = full;
}

void SimDisk::set_failing(double share) {
  const Lock lock(core_->mutex);
  core_->failing = share;
}

void SimDisk::heal() {
  const Lock lock(core_->mutex);
  core_->full = false;
  core_->failing = 0;
  core_->crash_at = 0;
  core_->crashed = {};
}

bool SimDisk::flip_bit(const std::string& path) {
  const Lock lock(core_->mutex);
  const SimNodePtr file = core_->files.find(path);
  if (file == nullptr || file->directory || file->bytes.empty() || file->writers > 0) return false;
  const uint64_t bit = core_->random.below(file->bytes.size() * 8);
  file->bytes[bit / 8] = static_cast<char>(file->bytes[bit / 8] ^ (1 << (bit % 8)));
  core_->count(DiskFault::kBitFlipped);
  return true;
}

std::vector<std::string> SimDisk::paths() const {
  const Lock lock(core_->mutex);
  std::vector<std::string> out;
  for (const auto& [path, file] : core_->files.all()) out.push_back(path);
  return out;
}

Result<std::string> SimDisk::read(const std::string& path) const {
  const Lock lock(core_->mutex);
  const SimNodePtr file = core_->files.find(path);
  if (file == nullptr || file->directory) return retryable_error(path + " is no file");
  return file->bytes;
}

uint64_t SimDisk::bytes() const {
  const Lock lock(core_->mutex);
  uint64_t sum = 0;
  for (const auto& [path, file] : core_->files.all()) sum += file->bytes.size();
  return sum;
}

SimDisk::Counts SimDisk::counts() const {
  const Lock lock(core_->mutex);
  return core_->counts;
}

}  // namespace tidemill::test
