#include "shared/snapshot/s3_answers.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace tidemill {
namespace {

TEST(S3Answers, AListing) {
  const auto page = parse_s3_listing(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>"
      "<IsTruncated>true</IsTruncated>"
      "<Contents><Key>p/a&amp;b</Key><Size>12</Size><ETag>\"1\"</ETag></Contents>"
      "<Contents><Key>p/c</Key><Size>0</Size></Contents>"
      "<NextContinuationToken>1/x=</NextContinuationToken></ListBucketResult>");
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->entries.size(), 2u);
  EXPECT_EQ(page->entries[0].key, "p/a&b");
  EXPECT_EQ(page->entries[0].bytes, 12u);
  EXPECT_EQ(page->entries[1].key, "p/c");
  EXPECT_EQ(page->next, "1/x=");
  const auto empty = parse_s3_listing(
      "<ListBucketResult><IsTruncated>false</IsTruncated>"
      "<NextContinuationToken>1</NextContinuationToken></ListBucketResult>");
  ASSERT_TRUE(empty.ok());
  EXPECT_TRUE(empty->entries.empty());
  EXPECT_TRUE(empty->next.empty());
}

// Objects that a listing lost would count as not there.
TEST(S3Answers, WhatIsNoWholeListingIsNone) {
  for (const char* text :
       {"", "no xml", "<Error><Code>X</Code></Error>", "<ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1x</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"}) {
    const auto page = parse_s3_listing(text);
    ASSERT_FALSE(page.ok()) << text;
    EXPECT_EQ(page.error().code(), ErrorCode::kRetryable);
  }
}

TEST(S3Answers, AFault) {
  const S3Fault fault = parse_s3_fault(
      "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>The key &lt;a&gt;</Message>"
      "<RequestId>1</RequestId></Error>");
  EXPECT_EQ(fault.code, "NoSuchKey");
  EXPECT_EQ(fault.message, "The key <a>");
  EXPECT_EQ(parse_s3_fault("<html><body>502</body></html>").code, "");
  EXPECT_EQ(parse_s3_fault("").code, "");
  EXPECT_LE(parse_s3_fault("<Error><Message>" + std::string(9999, 'x') + "</Message></Error>")
                .message.size(),
            300u);
}

TEST(S3Answers, AnUpload) {
  const auto id = parse_s3_upload_id(
      "<InitiateMultipartUploadResult><UploadId>a-1/2+3</UploadId></"
      "InitiateMultipartUploadResult>");
  ASSERT_TRUE(id.ok());
  EXPECT_EQ(*id, "a-1/2+3");
  EXPECT_FALSE(parse_s3_upload_id("<Error/>").ok());
  EXPECT_FALSE(parse_s3_upload_id("<InitiateMultipartUploadResult/>").ok());
}

TEST(S3Answers, ACompletion) {
  EXPECT_EQ(
      s3_completion({"\"a\"", "<b>"}),
      "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
      "<Part><PartNumber>2</PartNumber><ETag>&lt;b&gt;</ETag></Part></CompleteMultipartUpload>");
}

RC_GTEST_PROP(S3Answers, AnyBytesAreTaken, (const std::string& text)) {
  static_cast<void>(parse_s3_listing(text));
  static_cast<void>(parse_s3_fault("<Error>" + text));
  static_cast<void>(parse_s3_upload_id(text));
}

}  // namespace
}  // namespace tidemill
