// libcurl's handles, for the two that ask servers with it: of snapshots and of schemas. The
// requests are their own. https://curl.se/libcurl/c/
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

#include "shared/base/result.h"

namespace tidemill {

struct CurlEasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using CurlEasy = std::unique_ptr<CURL, CurlEasyDeleter>;

struct CurlHeadersDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlHeaders = std::unique_ptr<curl_slist, CurlHeadersDeleter>;

// A handle without options or connections; the first of the process starts libcurl. kRetryable:
// there is no memory for one. thread-safe
Result<CurlEasy> make_curl_easy();

// `line` is "Name: value".
void add_curl_header(CurlHeaders* headers, const std::string& line);

// Of what a request ended with. kUser: it was not sent, for the server's certificate is not
// trusted.
Status check_certificate(CURLcode code);

}  // namespace tidemill
