#include "shared/registry/registry_http.h"

#include <utility>

#include "shared/curl/curl_handles.h"

namespace tidemill {
namespace {

size_t on_body(char* bytes, size_t one, size_t count, void* context) {
  auto* const answer = static_cast<RegistryAnswer*>(context);
  const size_t length = one * count;
  answer->cut = answer->body.size() + length > kMaxRegistryAnswerBytes;
  if (answer->cut) return 0;
  answer->body.append(bytes, length);
  return length;
}

void set_login(CURL* handle, const RegistryLogin& login) {
  if (login.user.empty() && login.password.empty()) return;
  curl_easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
  curl_easy_setopt(handle, CURLOPT_USERNAME, login.user.c_str());
  curl_easy_setopt(handle, CURLOPT_PASSWORD, login.password.c_str());
}

}  // namespace

struct RegistryConnection::Handle {
  CurlEasy easy;
  CurlHeaders headers;
};

RegistryConnection::RegistryConnection(RegistryLogin login, int64_t connect_ms, int64_t answer_ms)
    : login_(std::move(login)), connect_ms_(connect_ms), answer_ms_(answer_ms) {}

RegistryConnection::~RegistryConnection() = default;

Result<RegistryAnswer> RegistryConnection::get(const std::string& path) {
  if (handle_ == nullptr) {
    auto easy = make_curl_easy();
    if (!easy) return easy.error();
    handle_ = std::make_unique<Handle>();
    handle_->easy = std::move(*easy);
    add_curl_header(&handle_->headers, "Accept: application/vnd.schemaregistry.v1+json");
  }
  const std::string url = login_.url + path;
  RegistryAnswer answer;
  CURL* const curl = handle_->easy.get();
  curl_easy_reset(curl);  // its connections stay
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, handle_->headers.get());
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms_));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(answer_ms_));
  set_login(curl, login_);
  const CURLcode code = curl_easy_perform(curl);
  if (Status trusted = check_certificate(code); !trusted) return trusted.error();
  if (code != CURLE_OK && !answer.cut) return retryable_error(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

}  // namespace tidemill
