#include "shared/snapshot/snapshot_name.h"

#include <charconv>
#include <cstdio>

#include "shared/snapshot/object_name.h"
#include "shared/snapshot/snapshots.h"

namespace tidemill {
namespace {

constexpr size_t kHexDigits = 16;

std::string hex16(uint64_t value) {
  char text[kHexDigits + 1];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

// All of `text` is a number.
template <typename Int>
bool parse_number(std::string_view text, int base, Int* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Takes what is before the next "/", and that.
std::string_view take_part(std::string_view* rest) {
  const size_t slash = rest->find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view part = rest->substr(0, slash);
  rest->remove_prefix(slash + 1);
  return part;
}

bool take_prefix(std::string_view* text, std::string_view prefix) {
  if (!text->starts_with(prefix)) return false;
  text->remove_prefix(prefix.size());
  return true;
}

bool take_suffix(std::string_view* text, std::string_view suffix) {
  if (!text->ends_with(suffix)) return false;
  text->remove_suffix(suffix.size());
  return true;
}

// "<owner>", or "<owner>-<node>" with the store's.
bool parse_writer(std::string_view writer, SnapshotObjectName* out) {
  const std::string_view owner = writer.substr(0, kHexDigits);
  if (owner.size() != kHexDigits || !parse_number(owner, 16, &out->owner.value)) return false;
  if (writer.size() == kHexDigits) return true;
  const std::string_view store = writer.substr(kHexDigits + 1);
  return writer[kHexDigits] == '-' && store.size() == kHexDigits &&
         parse_number(store, 16, &out->store.value) && out->store != NodeId(0);
}

}  // namespace

std::string snapshot_prefix(JobId job, KeyPartitionId k) {
  char text[48];
  std::snprintf(text, sizeof(text), "job-%08x/k-%05u/", job.value, k.value);
  return text;
}

std::string owner_prefix(JobId job, KeyPartitionId k, Epoch owner) {
  return snapshot_prefix(job, k) + hex16(owner.value) + "/";
}

std::string store_prefix(JobId job, KeyPartitionId k, Epoch owner, NodeId store) {
  return snapshot_prefix(job, k) + hex16(owner.value) + "-" + hex16(store.value) + "/";
}

std::string manifest_name(Epoch owner, uint64_t version) {
  return "manifest-" + hex16(owner.value) + "-" + hex16(version);
}

std::optional<SnapshotObjectName> parse_snapshot_object(std::string_view name) {
  SnapshotObjectName out;
  name = without_partial_suffix(name);
  std::string_view job = take_part(&name);
  std::string_view k = take_part(&name);
  const std::string_view writer = take_part(&name);
  if (!take_prefix(&job, "job-") || !parse_number(job, 16, &out.job.value) ||
      !take_prefix(&k, "k-") || !parse_number(k, 10, &out.key_partition.value) ||
      !parse_writer(writer, &out)) {
    return {};
  }
  out.manifest = name.starts_with("manifest-");
  const bool sst = take_suffix(&name, ".sst");
  const bool log = !sst && take_suffix(&name, ".log");
  if ((sst || log) == out.manifest) return {};
  if (!out.manifest && !name.starts_with("rows-") && (log || !name.starts_with("base-"))) return {};
  // The version is the last number of all of them.
  if (name.size() < kHexDigits + 1 || name[name.size() - kHexDigits - 1] != '-' ||
      !parse_number(name.substr(name.size() - kHexDigits), 16, &out.version)) {
    return {};
  }
  return out;
}

}  // namespace tidemill
