#include "tests/simulation/sim_storage.h"

#include <map>
#include <utility>

#include "shared/snapshot/snapshot_name.h"
#include "shared/snapshot/snapshots.h"
#include "shared/state/state_head.h"

namespace tidemill::test {
namespace {

constexpr const char* kDirectory = "/snapshots";
constexpr double kCrashes = 0.1;  // of the calls that fail
constexpr uint64_t kCrashesMax = 1;

Error away_error() { return retryable_error("the snapshot storage does not answer"); }

}  // namespace

class SimStorage::OfProcess : public SnapshotStorage {
 public:
  OfProcess(SimStorage* storage, SimProcessId process) : storage_(storage), process_(process) {}

  Status put(const std::string& name, std::span<const uint8_t> bytes) override {
    return noted(name, call<Status>(true, [&](SnapshotStorage* s) { return s->put(name, bytes); }));
  }
  Status put_file(const std::string& name, const Disk& disk, const std::string& path) override {
    return noted(name, call<Status>(true, [&](SnapshotStorage* s) {
                   return s->put_file(name, disk, path);
                 }));
  }
  Result<std::vector<uint8_t>> get(const std::string& name) override {
    return call<Result<std::vector<uint8_t>>>(false,
                                              [&](SnapshotStorage* s) { return s->get(name); });
  }
  Status get_file(const std::string& name, const Disk& disk, const std::string& path) override {
    return call<Status>(false, [&](SnapshotStorage* s) { return s->get_file(name, disk, path); });
  }
  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    return call<Result<std::vector<StoredObject>>>(
        false, [&](SnapshotStorage* s) { return s->list(prefix); });
  }
  Status remove(const std::string& name) override {
    storage_->durable_.erase(name);
    return call<Status>(true, [&](SnapshotStorage* s) { return s->remove(name); });
  }

 private:
  Status noted(const std::string& name, Status put) {
    if (put) storage_->note_object(name);
    return put;
  }
  template <typename Answer, typename Call>
  Answer call(bool changes, const Call& make) {
    const Fate fate = storage_->fate_of_call(process_, changes);
    if (fate == Fate::kFailsBefore) return Answer(away_error());
    Answer answer = make(storage_->directory_.get());
    if (fate == Fate::kFailsAfter) return Answer(away_error());
    return answer;
  }

  SimStorage* storage_;
  SimProcessId process_;
};

SimStorage::SimStorage(uint64_t seed, std::function<void(SimProcessId)> crash)
    : disk_(seed * 2 + 0x73746f72), crash_(std::move(crash)), random_(seed * 2 + 0x6f626a73) {
  open();
}

void SimStorage::open() { directory_ = directory_storage(disk_.mount(), kDirectory); }

std::string SimStorage::object_of(const std::string& path) {
  return path.substr(std::string(kDirectory).size() + 1);
}

std::shared_ptr<SnapshotStorage> SimStorage::storage_of(SimProcessId process) {
  return std::make_shared<OfProcess>(this, process);
}

SimStorage::Fate SimStorage::fate_of_call(SimProcessId process, bool changes) {
  if (away_) {
    ++refused_;
    return Fate::kFailsBefore;
  }
  if (failing_ == 0 || !random_.chance(failing_)) return Fate::kDone;
  if (changes && crashes_ < kCrashesMax && random_.chance(kCrashes)) {
    ++crashes_;
    crash_(process);
  } else {
    ++failed_;
  }
  return changes && random_.chance(0.5) ? Fate::kFailsAfter : Fate::kFailsBefore;
}

void SimStorage::lose_power() {
  std::map<std::string, std::string> before;
  for (const std::string& name : durable_) {
    auto bytes = disk_.read(std::string(kDirectory) + "/" + name);
    if (bytes) before[name] = std::move(*bytes);
  }
  disk_.lose_power();
  open();
  for (const auto& [name, bytes] : before) {
    const auto left = disk_.read(std::string(kDirectory) + "/" + name);
    if (!left || *left != bytes) wrong_ = "a loss of power has cost snapshot storage " + name;
  }
}

void SimStorage::note_object(const std::string& name) {
  durable_.insert(name);
  const auto parsed = parse_snapshot_object(name);
  if (parsed && parsed->manifest) check_horizon(name, parsed->store != NodeId());
}

// Against the earlier snapshots of the same history. A store that has followed several owners may
// be ahead of the last one: only those after it go on from there.
void SimStorage::check_horizon(const std::string& name, bool of_store) {
  const auto manifest = read_manifest(directory_.get(), name);
  if (!manifest) return;  // a disk that fails
  const StateHead head = from_proto(manifest->head());
  auto& states = states_[{manifest->job(), manifest->key_partition()}];
  for (const SnapshotOfState& before : states) {
    if (!lies_in(head.ancestry, before.stamp) || before.horizon <= head.horizon) continue;
    if (before.stamp.version > head.stamp().version) continue;
    if (before.of_store && before.stamp.epoch == head.stamp().epoch) continue;
    wrong_ = "the horizon has fallen from " + format_timestamp(before.horizon) + " to " +
             format_timestamp(head.horizon) + " in snapshot " + name;
  }
  states.push_back({head.stamp(), head.horizon, of_store});
}

void SimStorage::heal() {
  away_ = false;
  failing_ = 0;
  disk_.heal();
}

}  // namespace tidemill::test
