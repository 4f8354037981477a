// The newest snapshot in storage, damaged in every way: the one before it is restored, and said to
// be damaged when it is verified.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include "shared/snapshot/snapshots.h"
#include "tests/unit/snapshot/recording_storage.h"
#include "tests/unit/snapshot/snapshot_fixture.h"

namespace tidemill {
namespace {

using testing::RecordingStorage;
using testing::StateWriter;
using Bytes = std::vector<uint8_t>;

constexpr Epoch kOwner{5};

// Two snapshots in storage; all states are bases, so that neither needs files of the other.
struct Stored {
  Stored() {
    // The newest has a base and an increment of its own.
    first.write(kOwner, 40);
    older = take(&first);
    older_contents = first.contents();
    second.write(kOwner, 40);
    second.write(kOwner, 50);
    newest = take(&second);
    const auto read = read_manifest(&storage, newest);
    ASSERT(read.ok());
    manifest = *read;
  }
  std::string take(StateWriter* writer) {
    const auto taken =
        upload_snapshot(writer->disk(), &storage, writer == &first ? kOwner : kNext, {});
    ASSERT(taken.ok());
    return taken->manifest;
  }
  Bytes get(const std::string& object) {
    return testing::read_file(*storage.disk(), RecordingStorage::path_of(object));
  }
  void put(const std::string& object, const Bytes& bytes) {
    testing::write_file(*storage.disk(), RecordingStorage::path_of(object), bytes);
  }
  void change(const std::string& object, const std::function<void(Bytes*)>& edit) {
    Bytes bytes = get(object);
    edit(&bytes);
    put(object, bytes);
  }
  std::string file(int i) const { return manifest.files(i).object(); }
  // The manifest with other contents and a checksum that fits them.
  void rewrite(const std::function<void(proto::StateManifest*)>& edit) {
    proto::StateManifest changed = manifest;
    edit(&changed);
    put(newest, encode_manifest(changed));
  }

  static constexpr Epoch kNext{6};
  RecordingStorage storage;
  StateWriter first;
  StateWriter second;
  std::string older;
  std::string newest;
  Bytes older_contents;
  proto::StateManifest manifest;
};

struct Damage {
  const char* name;
  void (*inflict)(Stored*);
};

void flip(Bytes* bytes, size_t at) { (*bytes)[at] ^= 0x10; }

const Damage kDamages[] = {
    {"ManifestGone", [](Stored* s) { ASSERT(s->storage.remove(s->newest).ok()); }},
    {"ManifestEmpty", [](Stored* s) { s->put(s->newest, {}); }},
    {"ManifestCutOff",
     [](Stored* s) { s->change(s->newest, [](Bytes* b) { b->resize(b->size() - 9); }); }},
    {"ManifestLengthened",
     [](Stored* s) { s->change(s->newest, [](Bytes* b) { b->push_back(0); }); }},
    {"ManifestBitInMagic", [](Stored* s) { s->change(s->newest, [](Bytes* b) { flip(b, 0); }); }},
    {"ManifestBitInLength", [](Stored* s) { s->change(s->newest, [](Bytes* b) { flip(b, 9); }); }},
    {"ManifestBitInMessage",
     [](Stored* s) { s->change(s->newest, [](Bytes* b) { flip(b, b->size() / 2); }); }},
    {"ManifestBitInChecksum",
     [](Stored* s) { s->change(s->newest, [](Bytes* b) { flip(b, b->size() - 1); }); }},
    {"ManifestOfTheSnapshotBefore", [](Stored* s) { s->put(s->newest, s->get(s->older)); }},
    {"ManifestOfAnotherFormat",
     [](Stored* s) { s->rewrite([](auto* m) { m->set_format_version(99); }); }},
    {"ManifestOfOtherTables",
     [](Stored* s) { s->rewrite([](auto* m) { m->set_schema_hash(1); }); }},
    {"ManifestWithoutAFile",
     [](Stored* s) { s->rewrite([](auto* m) { m->mutable_files()->DeleteSubrange(0, 1); }); }},
    {"ManifestWithAnotherHead",
     [](Stored* s) { s->rewrite([](auto* m) { m->mutable_head()->set_horizon_us(12345); }); }},
    {"ManifestThatLeadsElsewhere",
     [](Stored* s) {
       s->rewrite([](auto* m) { m->mutable_files(0)->set_object("../../etc/passwd"); });
     }},
    {"FileGone", [](Stored* s) { ASSERT(s->storage.remove(s->file(0)).ok()); }},
    {"FileEmpty", [](Stored* s) { s->put(s->file(1), {}); }},
    {"FileCutOff",
     [](Stored* s) { s->change(s->file(0), [](Bytes* b) { b->resize(b->size() / 2); }); }},
    {"FileLengthened", [](Stored* s) { s->change(s->file(1), [](Bytes* b) { b->push_back(7); }); }},
    {"FileBitInRows", [](Stored* s) { s->change(s->file(0), [](Bytes* b) { flip(b, 20); }); }},
    {"FileBitInFooter",
     [](Stored* s) { s->change(s->file(1), [](Bytes* b) { flip(b, b->size() - 3); }); }},
    {"FileZeroedPage",
     [](Stored* s) {
       s->change(s->file(0), [](Bytes* b) {
         std::fill_n(b->begin(), std::min<size_t>(b->size(), 512), uint8_t{0});
       });
     }},
    {"FilesSwapped",
     [](Stored* s) {
       const Bytes one = s->get(s->file(0));
       s->put(s->file(0), s->get(s->file(1)));
       s->put(s->file(1), one);
     }},
    {"FileIsADirectory",
     [](Stored* s) {
       ASSERT(s->storage.remove(s->file(1)).ok());
       ASSERT(s->storage.put(s->file(1) + "/x", Bytes(3)).ok());
     }},
};

class DamageTest : public ::testing::TestWithParam<Damage> {};

TEST_P(DamageTest, TheSnapshotBeforeIsRestored) {
  Stored stored;
  const std::vector<std::string> candidates{stored.newest, stored.older};
  {
    StateWriter unharmed;
    const auto restored = restore_snapshot(unharmed.disk(), &stored.storage, candidates);
    ASSERT_TRUE(restored.ok());
    ASSERT_EQ(restored->manifest, stored.newest);
  }
  GetParam().inflict(&stored);
  StateWriter disk;
  const auto restored = restore_snapshot(disk.disk(), &stored.storage, candidates);
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  EXPECT_EQ(restored->manifest, stored.older);
  ASSERT_EQ(restored->refused.size(), 1u);
  EXPECT_TRUE(restored->refused.front().starts_with(stored.newest));
  EXPECT_EQ(disk.contents(), stored.older_contents);
  disk.reopen();
  EXPECT_EQ(disk.contents(), stored.older_contents);
}

// But for what only the job that it is for can know.
TEST_P(DamageTest, VerifyingSaysSo) {
  Stored stored;
  GetParam().inflict(&stored);
  const auto wrong = verify_snapshot(&stored.storage, stored.newest);
  ASSERT_TRUE(wrong.ok()) << wrong.error().message();
  EXPECT_EQ(wrong->empty(), std::string_view(GetParam().name) == "ManifestOfOtherTables");
  EXPECT_TRUE(verify_snapshot(&stored.storage, stored.older)->empty());
}

INSTANTIATE_TEST_SUITE_P(Kinds, DamageTest, ::testing::ValuesIn(kDamages),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tidemill
