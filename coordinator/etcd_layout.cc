#include "coordinator/etcd_layout.h"

#include <cstdio>
#include <set>
#include <string_view>
#include <utility>

#include "shared/base/hash.h"

namespace tidemill {
namespace {

constexpr char kData[] = "data/";
constexpr char kChunk[] = "chunk/";
constexpr char kRedo[] = "redo/";

std::string hex(uint64_t number, int digits) {
  char text[17];
  std::snprintf(text, sizeof(text), "%0*llx", digits, static_cast<unsigned long long>(number));
  return text;
}

// Where the pieces of a value are, and of a redo; without the prefix.
std::string chunk_place(uint64_t sequence, uint32_t number) {
  return kChunk + hex(sequence, 16) + "/" + hex(number, 8) + "/";
}
std::string redo_place(uint64_t sequence) { return kRedo + hex(sequence, 16) + "/"; }

uint64_t hash_of(const KeyValueBatch& batch) {
  uint64_t hash = 0;
  for (const auto& [key, value] : batch) {
    hash = hash_bytes(key, hash + 1);
    hash = value ? hash_bytes(*value, hash + 2) : hash_bytes("", hash + 3);
  }
  return hash;
}

size_t size_of(const EtcdOp& op) { return op.key.size() + op.value.size() + 32; }

// Operations in as few transactions as the limits allow, none of which moves the head.
void add_steps(std::vector<EtcdOp> ops, const std::string& head, const EtcdLimits& limits,
               std::vector<EtcdStep>* steps) {
  size_t bytes = 0;
  EtcdStep step{{}, head, head};
  for (EtcdOp& op : ops) {
    const bool full = step.ops.size() >= limits.txn_ops || bytes + size_of(op) > limits.txn_bytes;
    if (full && !step.ops.empty()) {
      steps->push_back(std::exchange(step, EtcdStep{{}, head, head}));
      bytes = 0;
    }
    bytes += size_of(op);
    step.ops.push_back(std::move(op));
  }
  if (!step.ops.empty()) steps->push_back(std::move(step));
}

bool fits_one(const std::vector<EtcdOp>& ops, const EtcdLimits& limits) {
  size_t bytes = 0;
  for (const EtcdOp& op : ops) bytes += size_of(op);
  return ops.size() <= limits.txn_ops && bytes <= limits.txn_bytes;
}

proto::EtcdPieces cut(const std::string& place, const std::string& bytes, const EtcdLimits& limits,
                      std::vector<EtcdOp>* ops) {
  proto::EtcdPieces out;
  for (size_t at = 0; at < bytes.size(); at += limits.value_bytes) {
    ops->push_back(
        {EtcdOp::Kind::kPut, place + hex(out.count(), 8), bytes.substr(at, limits.value_bytes)});
    out.set_count(out.count() + 1);
  }
  out.set_bytes(bytes.size());
  out.set_hash(hash_bytes(bytes, 0));
  return out;
}

using Raw = std::map<std::string, std::string>;

Result<std::string> join(const Raw& raw, const std::string& place,
                         const proto::EtcdPieces& pieces) {
  std::string out;
  for (uint32_t i = 0; i < pieces.count(); ++i) {
    const auto found = raw.find(place + hex(i, 8));
    if (found == raw.end()) return corrupt_error("etcd lacks " + place + hex(i, 8));
    out += found->second;
  }
  if (out.size() != pieces.bytes() || hash_bytes(out, 0) != pieces.hash()) {
    return corrupt_error("what etcd holds in " + place + " is not what was written there");
  }
  return out;
}

std::string redo_bytes(const std::string& prefix, const std::vector<EtcdOp>& ops) {
  proto::EtcdRedo redo;
  for (const EtcdOp& op : ops) {
    auto* write = redo.add_writes();
    write->set_key(op.key.substr(prefix.size()));
    write->set_value(op.value);
    write->set_kind(op.kind == EtcdOp::Kind::kPut      ? proto::EtcdWrite::PUT
                    : op.kind == EtcdOp::Kind::kRemove ? proto::EtcdWrite::REMOVE
                                                       : proto::EtcdWrite::REMOVE_PREFIX);
  }
  return redo.SerializeAsString();
}

Result<std::vector<EtcdOp>> redo_ops(const std::string& prefix, const std::string& bytes) {
  proto::EtcdRedo redo;
  if (!redo.ParseFromString(bytes)) return corrupt_error("a redo in etcd does not parse");
  std::vector<EtcdOp> out;
  for (auto& write : *redo.mutable_writes()) {
    const auto kind = write.kind() == proto::EtcdWrite::PUT      ? EtcdOp::Kind::kPut
                      : write.kind() == proto::EtcdWrite::REMOVE ? EtcdOp::Kind::kRemove
                                                                 : EtcdOp::Kind::kRemovePrefix;
    out.push_back({kind, prefix + write.key(), std::move(*write.mutable_value())});
  }
  return out;
}

// What is left of a commit once its redo is written: the writes, then the head without it.
void add_redo_steps(const std::string& prefix, std::vector<EtcdOp> ops, const std::string& head,
                    uint64_t sequence, const std::string& head_after, const EtcdLimits& limits,
                    std::vector<EtcdStep>* steps) {
  add_steps(std::move(ops), head, limits, steps);
  steps->push_back(
      {{{EtcdOp::Kind::kRemovePrefix, prefix + redo_place(sequence)}}, head, head_after});
}

void apply_to_raw(const std::vector<EtcdOp>& ops, Raw* raw) {
  for (const EtcdOp& op : ops) {
    if (op.kind == EtcdOp::Kind::kPut) {
      (*raw)[op.key] = op.value;
    } else if (op.kind == EtcdOp::Kind::kRemove) {
      raw->erase(op.key);
    } else {
      auto at = raw->lower_bound(op.key);
      while (at != raw->end() && at->first.starts_with(op.key)) at = raw->erase(at);
    }
  }
}

Result<proto::EtcdHead> parse_head(const std::string& bytes) {
  proto::EtcdHead head;
  if (!head.ParseFromString(bytes)) return corrupt_error("etcd's head record does not parse");
  if (!bytes.empty() && head.format_version() != kEtcdFormatVersion) {
    return corrupt_error("etcd's head record has format version " +
                         std::to_string(head.format_version()) + "; this coordinator reads " +
                         std::to_string(kEtcdFormatVersion));
  }
  return head;
}

// Finishes the commit that the head says is not done.
Status finish_redo(const std::string& prefix, proto::EtcdHead head, const EtcdLimits& limits,
                   Raw* raw, EtcdRead* out) {
  const auto bytes = join(*raw, prefix + redo_place(head.sequence()), head.redo());
  if (!bytes) return bytes.error();
  auto ops = redo_ops(prefix, *bytes);
  if (!ops) return ops.error();
  apply_to_raw(*ops, raw);
  apply_to_raw({{EtcdOp::Kind::kRemovePrefix, prefix + redo_place(head.sequence())}}, raw);
  head.clear_redo();
  const std::string before = std::exchange(out->contents.head, head.SerializeAsString());
  add_redo_steps(prefix, std::move(*ops), before, head.sequence(), out->contents.head, limits,
                 &out->repairs);
  return {};
}

Status read_values(const std::string& prefix, const Raw& raw, EtcdRead* out) {
  const std::string data = prefix + kData;
  for (auto at = raw.lower_bound(data); at != raw.end() && at->first.starts_with(data); ++at) {
    const std::string key = at->first.substr(data.size());
    proto::EtcdValue value;
    if (!value.ParseFromString(at->second) || value.held_case() == 0) {
      return corrupt_error("the value of '" + at->first + "' in etcd does not parse");
    }
    if (value.held_case() == proto::EtcdValue::kWhole) {
      out->values[key] = std::move(*value.mutable_whole());
      continue;
    }
    const auto& chunked = value.chunked();
    const std::string place = chunk_place(chunked.sequence(), chunked.number());
    auto bytes = join(raw, prefix + place, chunked.pieces());
    if (!bytes) return bytes.error().within("the value of '" + key + "'");
    out->values[key] = std::move(*bytes);
    out->contents.chunked[key] = place;
  }
  return {};
}

// Pieces that no value and no head names.
void remove_leftovers(const std::string& prefix, const Raw& raw, const EtcdLimits& limits,
                      EtcdRead* out) {
  std::set<std::string> named;
  for (const auto& [key, place] : out->contents.chunked) named.insert(prefix + place);
  std::vector<EtcdOp> ops;
  for (const auto& folder : {prefix + kChunk, prefix + kRedo}) {
    for (auto at = raw.lower_bound(folder); at != raw.end() && at->first.starts_with(folder);
         ++at) {
      const std::string place = at->first.substr(0, at->first.rfind('/') + 1);
      if (!named.contains(place)) ops.push_back({EtcdOp::Kind::kRemove, at->first});
    }
  }
  add_steps(std::move(ops), out->contents.head, limits, &out->repairs);
}

}  // namespace

EtcdPlan plan_commit(const std::string& prefix, const EtcdContents& before,
                     const KeyValueBatch& batch, const EtcdLimits& limits) {
  const auto last = parse_head(before.head);
  ASSERT(last.ok());
  proto::EtcdHead head;
  head.set_format_version(kEtcdFormatVersion);
  head.set_sequence(last->sequence() + 1);
  head.set_batch_hash(hash_of(batch));
  EtcdPlan plan;
  plan.after = before;
  plan.after.head = head.SerializeAsString();
  std::vector<EtcdOp> pieces;
  std::vector<EtcdOp> ops;
  for (uint32_t number = 0; number < batch.size(); ++number) {
    const auto& [key, bytes] = batch[number];
    const auto old = plan.after.chunked.find(key);
    if (old != plan.after.chunked.end()) {
      ops.push_back({EtcdOp::Kind::kRemovePrefix, prefix + old->second});
      plan.after.chunked.erase(old);
    }
    if (!bytes) {
      ops.push_back({EtcdOp::Kind::kRemove, prefix + kData + key});
      continue;
    }
    proto::EtcdValue value;
    if (bytes->size() <= limits.value_bytes) {
      value.set_whole(*bytes);
    } else {
      const std::string place = chunk_place(head.sequence(), number);
      auto* chunked = value.mutable_chunked();
      chunked->set_sequence(head.sequence());
      chunked->set_number(number);
      *chunked->mutable_pieces() = cut(prefix + place, *bytes, limits, &pieces);
      plan.after.chunked[key] = place;
    }
    ops.push_back({EtcdOp::Kind::kPut, prefix + kData + key, value.SerializeAsString()});
  }
  if (fits_one(ops, limits)) {
    add_steps(std::move(pieces), before.head, limits, &plan.steps);
    plan.steps.push_back({std::move(ops), before.head, plan.after.head});
    return plan;
  }
  *head.mutable_redo() =
      cut(prefix + redo_place(head.sequence()), redo_bytes(prefix, ops), limits, &pieces);
  const std::string redo_head = head.SerializeAsString();
  add_steps(std::move(pieces), before.head, limits, &plan.steps);
  plan.steps.push_back({{}, before.head, redo_head});
  add_redo_steps(prefix, std::move(ops), redo_head, head.sequence(), plan.after.head, limits,
                 &plan.steps);
  return plan;
}

Result<EtcdRead> read_contents(const std::string& prefix, std::map<std::string, std::string> raw,
                               const EtcdLimits& limits) {
  EtcdRead out;
  const auto found = raw.find(etcd_head_key(prefix));
  if (found != raw.end()) out.contents.head = found->second;
  const auto head = parse_head(out.contents.head);
  if (!head) return head.error();
  if (head->has_redo()) {
    if (auto status = finish_redo(prefix, *head, limits, &raw, &out); !status) {
      return status.error();
    }
  }
  if (auto status = read_values(prefix, raw, &out); !status) return status.error();
  if (out.contents.head.empty() && !out.values.empty()) {
    return corrupt_error("etcd holds metadata below '" + prefix + "', but no head record");
  }
  remove_leftovers(prefix, raw, limits, &out);
  return out;
}

}  // namespace tidemill
