#include "shared/window/folded_image.h"

#include <algorithm>

namespace tidemill {
namespace {

constexpr uint32_t kLeastTileBytes = 2 + 8 + 1 + 4;
constexpr uint32_t kLeastLeafBytes = 8 + 8 + 8 + 8 + 1;

void put_span(const TimeSpan& span, ByteWriter* out) {
  out->put(static_cast<uint8_t>(span.empty() ? 0 : 1));
  if (span.empty()) return;
  out->put(span.first);
  out->put(span.last);
}

// False if it does not lie within `all`.
bool take_span(ByteReader* in, const TimeSpan& all, TimeSpan* out) {
  const auto any = in->get<uint8_t>();
  if (any > 1) return false;
  if (any == 0) return in->ok();
  out->first = in->get<int64_t>();
  out->last = in->get<int64_t>();
  return in->ok() && !out->empty() && all.first <= out->first && out->last <= all.last;
}

void put_leaf(const LeafPlan& plan, const ChunkLayout& layout, const Leaf& leaf, ByteWriter* out) {
  out->put(leaf.number);
  out->put(leaf.times.first);
  out->put(leaf.times.last);
  out->put(leaf.rows);
  for (const TimeSpan& span : leaf.sessions) put_span(span, out);
  encode_base(plan.parts, layout, &leaf.summary, {}, {}, out);
}

}  // namespace

void encode_folded(const ChunkLayout& layout, const FoldedTiles& tiles, int64_t from,
                   ByteWriter* out) {
  const auto& all = tiles.all();
  const auto first = std::find_if(all.begin(), all.end(),
                                  [&](const FoldedTile& tile) { return tile.number() >= from; });
  if (first == all.end()) return;
  std::vector<std::vector<uint8_t>> texts;  // of plans, in order of first appearance
  std::vector<uint16_t> plan_of;
  for (auto tile = first; tile != all.end(); ++tile) {
    ByteWriter text;
    encode_leaf_features(tile->plan(), &text);
    const auto bytes = text.take();
    const auto known = std::find(texts.begin(), texts.end(), bytes);
    plan_of.push_back(static_cast<uint16_t>(known - texts.begin()));
    if (known == texts.end()) texts.push_back(bytes);
  }
  out->put(kFoldedMark);
  out->put(static_cast<uint16_t>(texts.size()));
  for (const auto& text : texts) out->put_bytes(text);
  out->put(static_cast<uint32_t>(all.end() - first));
  for (auto tile = first; tile != all.end(); ++tile) {
    out->put(plan_of[static_cast<size_t>(tile - first)]);
    out->put(tile->number());
    out->put(static_cast<uint8_t>(tile->shift()));
    out->put(static_cast<uint32_t>(tile->leaves().size()));
    for (const auto& leaf : tile->leaves()) put_leaf(tile->plan(), layout, *leaf, out);
  }
}

// One that says what the table's own plan says is that one.
bool FoldedImage::decode_plans(const std::shared_ptr<const LeafPlan>& own,
                               const TableSchema& schema, ByteReader* in, Plans* out) {
  ByteWriter text;
  encode_leaf_features(*own, &text);
  const auto own_bytes = text.take();
  const auto count = in->get<uint16_t>();
  for (uint16_t i = 0; i < count && in->ok(); ++i) {
    ByteReader ahead = *in;
    const auto same = ahead.take(std::min(own_bytes.size(), ahead.remaining()));
    if (std::equal(same.begin(), same.end(), own_bytes.begin(), own_bytes.end())) {
      in->take(own_bytes.size());
      out->push_back(own);
      continue;
    }
    std::vector<FeatureSpec> features;
    if (!decode_leaf_features(schema, in, &features)) return false;
    auto plan = std::make_shared<const LeafPlan>(schema, std::move(features));
    // Leaves are folded into the base once they are old.
    const auto held = [&](const FeatureSpec& feature) { return plan->holds(feature); };
    if (!std::all_of(schema.lifetime.begin(), schema.lifetime.end(), held)) return false;
    out->push_back(std::move(plan));
  }
  return in->ok();
}

bool FoldedImage::decode_leaf(const LeafPlan& plan, const TableSchema& schema, int shift,
                              ByteReader* in, LeafImage* out) {
  out->number = in->get<int64_t>();
  out->times.first = in->get<int64_t>();
  out->times.last = in->get<int64_t>();
  out->rows = in->get<uint64_t>();
  if (!in->ok() || out->times.empty() || out->times.first >> shift != out->number ||
      out->times.last >> shift != out->number || out->rows == 0) {
    return false;
  }
  out->sessions.resize(plan.session_filters.size());
  for (TimeSpan& span : out->sessions) {
    if (!take_span(in, out->times, &span)) return false;
  }
  return out->summary.decode(plan.parts, schema, in) && out->summary.any &&
         out->summary.decays_between(plan.parts, out->times.first, out->times.last);
}

bool FoldedImage::decode_tile(const Plans& plans, const TableSchema& schema, ByteReader* in,
                              TileImage* out) {
  const auto plan = in->get<uint16_t>();
  out->number = in->get<int64_t>();
  out->shift = in->get<uint8_t>();
  const auto leaves = in->get<uint32_t>();
  if (!in->ok() || plan >= plans.size() || out->shift > schema.bound->tile_shift || leaves == 0 ||
      leaves > in->remaining() / kLeastLeafBytes) {
    return false;
  }
  out->plan = plans[plan];
  for (uint32_t i = 0; i < leaves; ++i) {
    LeafImage leaf;
    if (!decode_leaf(*out->plan, schema, out->shift, in, &leaf) ||
        schema.bound->tile_of(leaf.times.first) != out->number ||
        (i > 0 && out->leaves.back().number >= leaf.number)) {
      return false;
    }
    out->leaves.push_back(std::move(leaf));
  }
  return true;
}

Status FoldedImage::decode(const std::shared_ptr<const LeafPlan>& plan, const TableSchema& schema,
                           ByteReader* in) {
  in->get<uint32_t>();  // the mark
  Plans plans;
  if (!decode_plans(plan, schema, in, &plans)) {
    return corrupt_error("what folded tiles hold is nothing that this job's rows have");
  }
  const auto tiles = in->get<uint32_t>();
  if (!in->ok() || tiles == 0 || tiles > in->remaining() / kLeastTileBytes) {
    return corrupt_error("folded tiles do not fit its length");
  }
  for (uint32_t i = 0; i < tiles; ++i) {
    TileImage tile;
    if (!decode_tile(plans, schema, in, &tile) || (i > 0 && tiles_.back().number >= tile.number)) {
      return corrupt_error("folded tile " + std::to_string(i) + " is not one of this job's");
    }
    tiles_.push_back(std::move(tile));
  }
  return {};
}

FoldedTiles FoldedImage::restore(const FoldContext& context) {
  FoldedTiles out;
  for (TileImage& image : tiles_) {
    FoldedTile* const tile = out.add(image.plan, image.number, image.shift);
    for (LeafImage& from : image.leaves) {
      auto leaf = std::make_unique<Leaf>(image.plan->parts, size_t{0});
      leaf->number = from.number;
      leaf->times = from.times;
      leaf->rows = from.rows;
      leaf->sessions = std::move(from.sessions);
      leaf->summary = from.summary.restore(image.plan->parts, context.layout, context.bytes);
      leaf->summary.spread(image.plan->parts, leaf->times.apart(), context.bytes);
      tile->restore(context, std::move(leaf));
    }
    tile->keep_bound(context);
  }
  tiles_.clear();
  return out;
}

}  // namespace tidemill
