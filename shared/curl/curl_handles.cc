#include "shared/curl/curl_handles.h"

namespace tidemill {

Result<CurlEasy> make_curl_easy() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  ASSERT(initialised == CURLE_OK);
  CurlEasy handle(curl_easy_init());
  if (!handle) return retryable_error("libcurl could not be started");
  return handle;
}

void add_curl_header(CurlHeaders* headers, const std::string& line) {
  curl_slist* const longer = curl_slist_append(headers->get(), line.c_str());
  ASSERT(longer != nullptr);
  static_cast<void>(headers->release());
  headers->reset(longer);
}

Status check_certificate(CURLcode code) {
  if (code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_SSL_CACERT_BADFILE) return {};
  return user_error(std::string("the server's certificate is not trusted: ") +
                    curl_easy_strerror(code));
}

}  // namespace tidemill
