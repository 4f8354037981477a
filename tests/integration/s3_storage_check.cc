// Snapshot storage against a real S3 server: run by s3_test.py, which says in the environment where
// the server is (TIDEMILL_S3_LOCATION) and what its keys are.
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "shared/snapshot/s3_storage.h"
#include "tests/unit/snapshot/snapshot_fixture.h"

namespace tidemill {
namespace {

using testing::read_file;
using testing::StateWriter;
using testing::write_file;

std::string location() {
  const char* const text = std::getenv("TIDEMILL_S3_LOCATION");
  ASSERT(text != nullptr);
  return text;
}

std::shared_ptr<SnapshotStorage> storage() {
  auto opened = open_snapshot_storage(location());
  ASSERT(opened.ok());
  return *opened;
}

std::vector<uint8_t> bytes_of(size_t count, uint32_t seed = 1) {
  std::vector<uint8_t> out(count);
  for (uint8_t& byte : out) byte = static_cast<uint8_t>((seed = seed * 1664525 + 1013904223) >> 24);
  return out;
}

TEST(S3, WhatIsPutIsThere) {
  const auto s3 = storage();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100'000}, size_t{3} << 20}) {
    const auto bytes = bytes_of(size);
    ASSERT_TRUE(s3->put("basic/object_1.of-it", bytes).ok());
    const auto got = s3->get("basic/object_1.of-it");
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_EQ(*got, bytes);
  }
  ASSERT_TRUE(s3->remove("basic/object_1.of-it").ok());
  const auto gone = s3->get("basic/object_1.of-it");
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().code(), ErrorCode::kCorrupt) << gone.error().message();
  EXPECT_NE(gone.error().message().find("basic/object_1.of-it"), std::string::npos);
  EXPECT_TRUE(s3->remove("basic/object_1.of-it").ok()) << "what is not there is no error";
}

TEST(S3, FilesGoUpAndDown) {
  const auto s3 = storage();
  const auto disk = Disk::in_memory();
  // The last ones in parts.
  for (const uint64_t size :
       {uint64_t{0}, uint64_t{70'000}, kS3PartBytes, kS3PartBytes + 1, 2 * kS3PartBytes + 12'345}) {
    const auto bytes = bytes_of(size);
    write_file(*disk, "/up", bytes);
    const Status put = s3->put_file("files/one.sst", *disk, "/up");
    ASSERT_TRUE(put.ok()) << put.error().message();
    const Status got = s3->get_file("files/one.sst", *disk, "/down");
    ASSERT_TRUE(got.ok()) << got.error().message();
    EXPECT_EQ(read_file(*disk, "/down"), bytes) << size;
    const auto listed = s3->list("files/");
    ASSERT_TRUE(listed.ok());
    ASSERT_EQ(listed->size(), 1u);
    EXPECT_EQ(listed->front().bytes, size);
  }
  EXPECT_EQ(s3->put_file("files/one.sst", *disk, "/nothing").error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(s3->get_file("files/two.sst", *disk, "/down").error().code(), ErrorCode::kCorrupt);
}

TEST(S3, AListingGoesOnOverManyPages) {
  const auto s3 = storage();
  constexpr int kObjects = 2'100;  // a page has 1000
  std::vector<std::string> names;
  for (int i = 0; i < kObjects; ++i) names.push_back("many/" + std::to_string(100'000 + i));
  std::vector<std::thread> writers;  // the storage is thread-safe
  std::atomic<int> failed = 0;
  for (int w = 0; w < 8; ++w) {
    writers.emplace_back([&, w] {
      for (int i = w; i < kObjects; i += 8) {
        if (!s3->put(names[static_cast<size_t>(i)], bytes_of(3))) ++failed;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  ASSERT_EQ(failed, 0);
  ASSERT_TRUE(s3->put("many.but-not-these/1", bytes_of(1)).ok());
  const auto listed = s3->list("many/");
  ASSERT_TRUE(listed.ok()) << listed.error().message();
  std::vector<std::string> found;
  for (const StoredObject& object : *listed) {
    found.push_back(object.name);
    EXPECT_EQ(object.bytes, 3u);
  }
  EXPECT_EQ(found, names);
  EXPECT_EQ(s3->list("many/10001")->size(), 10u);
  EXPECT_TRUE(s3->list("none/")->empty());
}

TEST(S3, AWrongSecretIsAnErrorThatSaysSo) {
  const auto parsed = parse_s3_location(location());
  ASSERT_TRUE(parsed.ok());
  const std::string secret = "wrong-secret-5d2c";
  const auto s3 = s3_storage(*parsed, {std::getenv("AWS_ACCESS_KEY_ID"), secret, ""}, {});
  const Status put = s3->put("secret/one", bytes_of(10));
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code(), ErrorCode::kUser);
  EXPECT_NE(put.error().message().find("403"), std::string::npos) << put.error().message();
  EXPECT_NE(put.error().message().find("secret/one"), std::string::npos);
  EXPECT_NE(put.error().message().find(parsed->bucket), std::string::npos);
  EXPECT_EQ(put.error().message().find(secret), std::string::npos);
  EXPECT_EQ(s3->list("secret/").error().code(), ErrorCode::kUser);
  EXPECT_EQ(s3->remove("secret/one").error().code(), ErrorCode::kUser);
}

TEST(S3, AMissingBucketIsAnErrorThatSaysSo) {
  auto parsed = parse_s3_location(location());
  ASSERT_TRUE(parsed.ok());
  parsed->base.replace(parsed->base.rfind('/') + 1, std::string::npos, "nobodys-bucket");
  parsed->bucket = "nobodys-bucket";
  const auto credentials = s3_credentials([](const char* name) -> std::optional<std::string> {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  });
  ASSERT_TRUE(credentials.ok());
  const auto s3 = s3_storage(*parsed, *credentials, {});
  const Status put = s3->put("one", bytes_of(10));
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().code(), ErrorCode::kUser) << put.error().message();
  EXPECT_NE(put.error().message().find("nobodys-bucket"), std::string::npos);
  EXPECT_EQ(s3->get("one").error().code(), ErrorCode::kUser);
}

TEST(S3, NoServerIsWorthAnotherTry) {
  auto parsed = parse_s3_location("s3://somewhere?endpoint=http://127.0.0.1:1");
  ASSERT_TRUE(parsed.ok());
  const auto s3 = s3_storage(*parsed, {"id", "secret", ""}, {.tries = 2, .first_pause_ms = 10});
  const auto got = s3->get("one");
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(got.error().code(), ErrorCode::kRetryable) << got.error().message();
}

TEST(S3, ASnapshotGoesUpAndDown) {
  const auto s3 = storage();
  StateWriter owner;
  std::vector<std::string> retained;
  std::vector<uint8_t> expected;
  for (int i = 0; i < 4; ++i) {
    owner.write(Epoch{5}, 1000);
    const auto taken = upload_snapshot(owner.disk(), s3.get(), Epoch{5}, retained);
    ASSERT_TRUE(taken.ok()) << taken.error().message();
    retained.insert(retained.begin(), taken->manifest);
    if (retained.size() > 2) retained.pop_back();
    const auto removed =
        remove_unretained(s3.get(), testing::kJob, testing::kPartition, Epoch{5}, retained);
    ASSERT_TRUE(removed.ok()) << removed.error().message();
    const auto wrong = verify_snapshot(s3.get(), taken->manifest);
    ASSERT_TRUE(wrong.ok());
    EXPECT_TRUE(wrong->empty()) << wrong->front();
  }
  StateWriter other;
  const auto restored = restore_snapshot(other.disk(), s3.get(), retained);
  ASSERT_TRUE(restored.ok()) << restored.error().message();
  EXPECT_EQ(restored->manifest, retained.front());
  EXPECT_EQ(other.contents(), owner.contents());
  EXPECT_FALSE(other.contents().empty());
}

}  // namespace
}  // namespace tidemill
