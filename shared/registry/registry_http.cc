#include "shared/registry/registry_http.h"

#include <curl/curl.h>

#include <memory>
#include <utility>

namespace tidemill {
namespace {

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;

struct HeadersDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Headers = std::unique_ptr<curl_slist, HeadersDeleter>;

size_t on_body(char* bytes, size_t one, size_t count, void* context) {
  auto* const answer = static_cast<RegistryAnswer*>(context);
  const size_t length = one * count;
  answer->cut = answer->body.size() + length > kMaxRegistryAnswerBytes;
  if (answer->cut) return 0;
  answer->body.append(bytes, length);
  return length;
}

bool is_certificate_error(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
}

void set_login(CURL* handle, const RegistryLogin& login) {
  if (login.user.empty() && login.password.empty()) return;
  curl_easy_setopt(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
  curl_easy_setopt(handle, CURLOPT_USERNAME, login.user.c_str());
  curl_easy_setopt(handle, CURLOPT_PASSWORD, login.password.c_str());
}

}  // namespace

struct RegistryConnection::Handle {
  Easy easy;
  Headers headers;
};

RegistryConnection::RegistryConnection(RegistryLogin login, int64_t connect_ms, int64_t answer_ms)
    : login_(std::move(login)), connect_ms_(connect_ms), answer_ms_(answer_ms) {}

RegistryConnection::~RegistryConnection() = default;

Result<RegistryAnswer> RegistryConnection::get(const std::string& path) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  ASSERT(initialised == CURLE_OK);
  if (handle_ == nullptr) handle_ = std::make_unique<Handle>();
  if (!handle_->easy) handle_->easy.reset(curl_easy_init());
  if (!handle_->headers) {
    handle_->headers.reset(
        curl_slist_append(nullptr, "Accept: application/vnd.schemaregistry.v1+json"));
  }
  if (!handle_->easy || !handle_->headers) return retryable_error("libcurl could not be started");
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
  if (is_certificate_error(code)) {
    return user_error(std::string("the server's certificate is not trusted: ") +
                      curl_easy_strerror(code));
  }
  if (code != CURLE_OK && !answer.cut) return retryable_error(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

std::string path_segment(const std::string& name) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<uint8_t>(c) >> 4];
      out += kHex[static_cast<uint8_t>(c) & 15];
    }
  }
  return out;
}

}  // namespace tidemill
