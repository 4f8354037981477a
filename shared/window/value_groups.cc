#include "shared/window/value_groups.h"

#include <algorithm>
#include <bit>

#include "shared/base/assert.h"
#include "shared/window/decay.h"
#include "shared/window/scalar_values.h"

namespace tidemill {
namespace {

constexpr size_t kRowsOfAGroup = 4;  // that take as much memory as it

template <typename State>
size_t heap_bytes_of(const State& state) {
  return std::visit([](const auto& s) { return s.heap_bytes(); }, state);
}

}  // namespace

ValueGroups::State ValueGroups::fresh() const {
  switch (spec_.kind) {
    case CollectionKind::kNumbers:
      return Summary();
    case CollectionKind::kHashes:
      return DistinctHashes(spec_.n);
    case CollectionKind::kRegisters:
      return HyperLogLog(spec_.n);
    default:
      ASSERT(spec_.kind == CollectionKind::kBuckets);
      return PercentileSketch(spec_.per_octave, spec_.n);
  }
}

void ValueGroups::add_to(State* state, const ChunkLayout& layout, const ChunkRows& rows,
                         uint32_t column) const {
  const Chunk& chunk = *rows.chunk;
  if (auto* numbers = std::get_if<Summary>(state)) {
    const SummaryInput input{spec_.column, -1, spec_.half_life, spec_.ones};
    return accumulate(layout, chunk, rows.mask, input, spec_.families, numbers);
  }
  const uint64_t mask = rows.mask & layout.valid_bits(chunk, column);
  if (auto* hashes = std::get_if<DistinctHashes>(state)) {
    hashes->add_rows(layout, chunk, mask, column);
  } else if (auto* registers = std::get_if<HyperLogLog>(state)) {
    registers->add_rows(layout, chunk, mask, column);
  } else {
    std::get<PercentileSketch>(*state).add_rows(layout, chunk, mask, column);
  }
}

void ValueGroups::merge_into(State* state, const State& other) const {
  if (auto* numbers = std::get_if<Summary>(state)) {
    numbers->merge(std::get<Summary>(other), spec_.families);
  } else if (auto* hashes = std::get_if<DistinctHashes>(state)) {
    for (const uint64_t hash : std::get<DistinctHashes>(other).held()) hashes->add(hash);
  } else if (auto* registers = std::get_if<HyperLogLog>(state)) {
    registers->merge(std::get<HyperLogLog>(other));
  } else {
    std::get<PercentileSketch>(*state).merge(std::get<PercentileSketch>(other));
  }
}

void ValueGroups::make_room() {
  const size_t before = groups_.entries().size();
  groups_.make_room();
  if (groups_.entries().size() != before) count_state_bytes();
}

void ValueGroups::count_state_bytes() {
  state_bytes_ = 0;
  for (const Entry& group : groups_.entries()) state_bytes_ += heap_bytes_of(group.kept);
}

// A chunk's rows are gathered by group first, so that each state is touched once.
void ValueGroups::add_rows(const ChunkLayout& layout, const Chunk& chunk, uint64_t mask,
                           uint32_t column) {
  const auto by = static_cast<uint32_t>(spec_.by);
  size_t places[kChunkRows];
  each_row(mask, [&](uint32_t i) {
    places[i] = groups_.find_or_add(value_key(layout, {&chunk, i}, by), [&] { return fresh(); });
    if (places[i] == groups_.kRefused) mask &= ~(uint64_t{1} << i);
  });
  while (mask != 0) {
    const size_t place = places[std::countr_zero(mask)];
    uint64_t same = 0;
    each_row(mask, [&](uint32_t i) { same |= uint64_t{places[i] == place} << i; });
    mask &= ~same;
    State& state = groups_.at(place).kept;
    state_bytes_ -= heap_bytes_of(state);
    add_to(&state, layout, {&chunk, same}, column);
    state_bytes_ += heap_bytes_of(state);
  }
  make_room();
}

void ValueGroups::merge(const ValueGroups& other) {
  if (other.groups_.truncated()) groups_.set_truncated();
  for (const Entry& group : other.groups_.entries()) {
    const size_t place = groups_.find_or_add(group.key(), [&] { return fresh(); });
    if (place == groups_.kRefused) continue;
    State& state = groups_.at(place).kept;
    state_bytes_ -= heap_bytes_of(state);
    merge_into(&state, group.kept);
    state_bytes_ += heap_bytes_of(state);
    make_room();
  }
}

void ValueGroups::finish() {
  groups_.finish();
  for (size_t place = 0; place < groups_.entries().size(); ++place) {
    State& state = groups_.at(place).kept;
    if (auto* hashes = std::get_if<DistinctHashes>(&state)) hashes->compact();
    if (auto* registers = std::get_if<HyperLogLog>(&state)) registers->finish();
    if (auto* buckets = std::get_if<PercentileSketch>(&state)) buckets->finish();
  }
  count_state_bytes();
}

size_t ValueGroups::size() const {
  size_t out = 0;
  for (const Entry& group : groups_.entries()) {
    out += kRowsOfAGroup;
    if (const auto* hashes = std::get_if<DistinctHashes>(&group.kept)) out += hashes->held().size();
    if (const auto* registers = std::get_if<HyperLogLog>(&group.kept)) out += registers->size();
    if (const auto* buckets = std::get_if<PercentileSketch>(&group.kept)) out += buckets->size();
  }
  return out;
}

bool ValueGroups::decays_between(TimeUs first, TimeUs last) const {
  if (spec_.half_life <= 0) return true;
  if (decay_apart(spec_.half_life, last - first)) return groups_.entries().empty();
  return std::all_of(groups_.entries().begin(), groups_.entries().end(), [&](const Entry& group) {
    return tidemill::decays_between(std::get<Summary>(group.kept), spec_.half_life, first, last);
  });
}

FeatureValue ValueGroups::state_value(const FeatureSpec& feature, ColumnType type,
                                      const State& state, __int128 end) const {
  if (const auto* numbers = std::get_if<Summary>(&state)) {
    return feature_value(feature, type, *numbers, end);
  }
  if (const auto* hashes = std::get_if<DistinctHashes>(&state)) return hashes->count();
  if (const auto* registers = std::get_if<HyperLogLog>(&state)) return registers->count();
  const auto& buckets = std::get<PercentileSketch>(state);
  if (buckets.count() == 0) return std::monostate();
  return buckets.at(feature.percentile);
}

FeatureValue ValueGroups::value(const FeatureSpec& feature, ColumnType type, ColumnType key_type,
                                __int128 end) const {
  if (groups_.entries().empty()) return std::monostate();
  MapValue out;
  out.truncated = groups_.truncated();
  for (const Entry* group : groups_.by_value()) {
    out.entries.emplace_back(scalar_of_key(key_type, group->key()),
                             nullable_scalar(state_value(feature, type, group->kept, end)));
  }
  return out;
}

void ValueGroups::encode_state(const State& state, ByteWriter* out) const {
  if (const auto* numbers = std::get_if<Summary>(&state)) {
    encode_summary(*numbers, spec_.families, out);
  } else if (const auto* hashes = std::get_if<DistinctHashes>(&state)) {
    encode_hashes(hashes->held(), out);
  } else if (const auto* registers = std::get_if<HyperLogLog>(&state)) {
    registers->encode(out);
  } else {
    std::get<PercentileSketch>(state).encode(out);
  }
}

bool ValueGroups::decode_state(ByteReader* in, State* out) const {
  if (auto* numbers = std::get_if<Summary>(out)) {
    return decode_summary(in, spec_.families, numbers);
  }
  if (auto* hashes = std::get_if<DistinctHashes>(out)) {
    std::vector<uint64_t> held;
    if (!decode_hashes(in, spec_.n, &held)) return false;
    for (const uint64_t hash : held) hashes->add(hash);
    hashes->compact();
    return true;
  }
  if (auto* registers = std::get_if<HyperLogLog>(out)) return registers->decode(in);
  return std::get<PercentileSketch>(*out).decode(in);
}

void ValueGroups::encode(ColumnType key_type, ByteWriter* out) const {
  groups_.encode(key_type, out, [&](const State& state) { encode_state(state, out); });
}

bool ValueGroups::decode(ColumnType key_type, ByteReader* in) {
  const bool ok = groups_.decode(key_type, in, [&](State* state) {
    *state = fresh();
    return decode_state(in, state);
  });
  count_state_bytes();
  return ok;
}

}  // namespace tidemill
