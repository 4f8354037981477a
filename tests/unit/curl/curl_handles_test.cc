#include "shared/curl/curl_handles.h"

#include <gtest/gtest.h>

#include <vector>

namespace tidemill {
namespace {

TEST(CurlHandles, AreMade) {
  const auto first = make_curl_easy();
  const auto second = make_curl_easy();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->get(), second->get());
}

TEST(CurlHandles, HeadersKeepTheirOrder) {
  CurlHeaders headers;
  for (const char* line : {"Accept: a", "X-B: b", "X-C: c"}) add_curl_header(&headers, line);
  std::vector<std::string> lines;
  for (const curl_slist* at = headers.get(); at != nullptr; at = at->next) {
    lines.emplace_back(at->data);
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"Accept: a", "X-B: b", "X-C: c"}));
}

// What another try cannot mend; all else is the caller's.
TEST(CurlHandles, CertificatesThatAreNotTrustedAreTheUsers) {
  for (const CURLcode code : {CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE}) {
    const Status checked = check_certificate(code);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code(), ErrorCode::kUser);
    EXPECT_EQ(checked.error().message(),
              std::string("the server's certificate is not trusted: ") + curl_easy_strerror(code));
  }
  for (const CURLcode code : {CURLE_OK, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT}) {
    EXPECT_TRUE(check_certificate(code).ok());
  }
}

}  // namespace
}  // namespace tidemill
