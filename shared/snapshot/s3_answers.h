// What an S3 server says in XML. Bytes from outside: anything may be in them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace tidemill {

struct S3Fault {
  std::string code;  // "NoSuchKey"; empty: the text is no error document
  std::string message;
};
S3Fault parse_s3_fault(std::string_view xml);

struct S3Listing {
  struct Entry {
    std::string key;
    uint64_t bytes = 0;
  };
  std::vector<Entry> entries;
  std::string next;  // token of what follows; empty: nothing
};
// These are kRetryable if the text is not such a document: it may have been cut off.
Result<S3Listing> parse_s3_listing(std::string_view xml);
Result<std::string> parse_s3_upload_id(std::string_view xml);

// The document that completes an upload whose parts have these tags, as the server gave them.
std::string s3_completion(const std::vector<std::string>& part_tags);

}  // namespace tidemill
