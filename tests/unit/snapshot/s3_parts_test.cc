// How files are put into parts, by what a server sees; a real one is in
// tests/integration/s3_test.py.
#include <gtest/gtest.h>
#include <rocksdb/env.h>

#include <mutex>

#include "shared/base/memory_account.h"
#include "shared/net/http_server.h"
#include "shared/snapshot/s3_storage.h"
#include "shared/state/disk.h"

namespace tidemill {
namespace {

// Takes parts, and notes what was accounted for meanwhile.
class PartServer {
 public:
  PartServer() {
    auto server = HttpServer::start({}, [this](HttpRequest request, HttpResponder respond) {
      const std::lock_guard lock(mutex_);
      most_ = std::max(most_, MemoryAccount::bytes(MemoryConsumer::kUploads));
      HttpResponse answer{.status = 200, .content_type = "application/xml", .body = ""};
      if (request.method == "POST" && request.target.find("uploads") != std::string::npos) {
        answer.body =
            "<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
            "</InitiateMultipartUploadResult>";
      } else if (request.method == "POST") {
        answer.body =
            "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
      } else {
        put_bytes_.push_back(request.body.size());
      }
      respond(answer);
    });
    ASSERT(server.ok());
    server_ = std::move(*server);
  }
  std::shared_ptr<SnapshotStorage> storage(uint64_t part_bytes) const {
    auto location = parse_s3_location("s3://bucket/pre?endpoint=http://127.0.0.1:" +
                                      std::to_string(server_->port()));
    ASSERT(location.ok());
    return s3_storage(*location, {"id", "secret", ""}, {.tries = 1}, part_bytes);
  }
  std::vector<size_t> put_bytes() {
    const std::lock_guard lock(mutex_);
    return std::exchange(put_bytes_, {});
  }
  uint64_t most() {
    const std::lock_guard lock(mutex_);
    return std::exchange(most_, 0);
  }

 private:
  std::mutex mutex_;
  std::vector<size_t> put_bytes_;
  uint64_t most_ = 0;
  std::unique_ptr<HttpServer> server_;
};

TEST(S3Parts, TheirSizeBoundsWhatAnUploadTakes) {
  PartServer server;
  const auto disk = Disk::in_memory();
  ASSERT_TRUE(rocksdb::WriteStringToFile(disk->env(), std::string(2'500, 'x'), "/file").ok());
  ASSERT_TRUE(server.storage(1'000)->put_file("a/b", *disk, "/file").ok());
  EXPECT_EQ(server.put_bytes(), (std::vector<size_t>{1'000, 1'000, 500}));
  EXPECT_EQ(server.most(), 1'000u);
  ASSERT_TRUE(server.storage(2'500)->put_file("a/b", *disk, "/file").ok());
  EXPECT_EQ(server.put_bytes(), std::vector<size_t>{2'500});
  EXPECT_EQ(server.most(), 2'500u);
  EXPECT_EQ(MemoryAccount::bytes(MemoryConsumer::kUploads), 0u);
}

TEST(S3Parts, TheyAreAPartOfTheBudgetAndNoSmallerThanS3Allows) {
  EXPECT_EQ(s3_part_bytes(0), kS3PartBytes);
  EXPECT_EQ(s3_part_bytes(64'000'000), kS3LeastPartBytes);
  EXPECT_EQ(s3_part_bytes(640 << 20), 10u << 20);
  EXPECT_EQ(s3_part_bytes(uint64_t{1} << 40), kS3PartBytes);
}

}  // namespace
}  // namespace tidemill
