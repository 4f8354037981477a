#include "shared/source/gzip_faults.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <utility>

namespace tidemill {
namespace {

constexpr size_t kMaxFaults = 64;
constexpr int kMaxTold = 60;

struct Fault {
  GzipFaultPlace place;
  Error error;
  int told = 0;
};

struct Faults {
  std::mutex mutex;
  std::deque<Fault> list;  // oldest first
};

Faults& faults() {
  static Faults faults;
  return faults;
}

bool same_place(const GzipFaultPlace& a, const GzipFaultPlace& b) {
  return a.offset == b.offset && a.path == b.path && a.file.same_file(b.file) &&
         a.file.size == b.file.size && a.file.changed_us == b.file.changed_us;
}

}  // namespace

Status known_gzip_fault(const GzipFaultPlace& place) {
  const std::lock_guard lock(faults().mutex);
  std::deque<Fault>& list = faults().list;
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const Fault& f) { return same_place(f.place, place); });
  if (found == list.end()) return {};
  if (++found->told <= kMaxTold) return found->error;
  list.erase(found);
  return {};
}

void note_gzip_fault(const GzipFaultPlace& place, const Error& error) {
  const std::lock_guard lock(faults().mutex);
  std::deque<Fault>& list = faults().list;
  std::erase_if(list, [&](const Fault& f) { return same_place(f.place, place); });
  if (list.size() == kMaxFaults) list.pop_front();
  list.push_back({place, error, 0});
}

}  // namespace tidemill
