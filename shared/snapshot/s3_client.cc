#include "shared/snapshot/s3_client.h"

#include <openssl/evp.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "shared/base/hash.h"
#include "shared/curl/curl_handles.h"
#include "shared/net/query_string.h"

namespace tidemill {
namespace {

constexpr size_t kMaxIdleHandles = 16;
constexpr size_t kMaxFaultBody = 64u << 10;
constexpr int64_t kLeastBytesPerS = 1024;     // slower is a stall
constexpr int64_t kRequestMs = 60'000;        // of a request without a body
constexpr int64_t kUploadBytesPerMs = 64;     // the slowest link that snapshots are kept over
constexpr int64_t kDownloadMs = 3600 * 1000;  // of any length, if it does not stall
constexpr int64_t kCompletionStalls = 6;      // a server may be minutes at putting parts together

std::string sha256_hex(std::span<const uint8_t> bytes) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const int done = EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  ASSERT(done == 1);
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < length; ++i) {
    out += kHex[digest[i] >> 4];
    out += kHex[digest[i] & 15];
  }
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

// One try of a request, as libcurl's callbacks see it.
struct Exchange {
  CURL* handle;
  const S3Request* request;
  S3Answer answer;
  size_t sent = 0;
  Status taken;  // why the body could not be taken
};

size_t on_body(char* bytes, size_t one, size_t count, void* context) {
  auto* const exchange = static_cast<Exchange*>(context);
  const size_t length = one * count;
  long status = 0;
  curl_easy_getinfo(exchange->handle, CURLINFO_RESPONSE_CODE, &status);
  const bool good = status >= 200 && status < 300;
  if (good && exchange->request->take) {
    exchange->taken = exchange->request->take({reinterpret_cast<const uint8_t*>(bytes), length});
    return exchange->taken ? length : 0;
  }
  std::string* const body = &exchange->answer.body;
  if (!good) {
    body->append(bytes, std::min(length, kMaxFaultBody - std::min(kMaxFaultBody, body->size())));
    return length;
  }
  if (body->size() + length > kMaxS3AnswerBytes) {
    exchange->taken = corrupt_error("the answer is larger than any that is expected");
    return 0;
  }
  body->append(bytes, length);
  return length;
}

size_t on_header(char* bytes, size_t one, size_t count, void* context) {
  auto* const exchange = static_cast<Exchange*>(context);
  const std::string_view line(bytes, one * count);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  const std::string_view name = line.substr(0, colon);
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  while (!value.empty() && (value.back() == '\n' || value.back() == '\r')) value.remove_suffix(1);
  if (equal_ignoring_case(name, "etag")) exchange->answer.tag = value;
  if (equal_ignoring_case(name, "x-amz-bucket-region")) exchange->answer.region = value;
  return line.size();
}

size_t on_send(char* into, size_t one, size_t count, void* context) {
  auto* const exchange = static_cast<Exchange*>(context);
  const auto rest = exchange->request->body.subspan(exchange->sent);
  const size_t length = std::min(rest.size(), one * count);
  std::copy_n(rest.begin(), length, into);
  exchange->sent += length;
  return length;
}

// A connection that the server had closed is replaced, and the body begins again.
int on_seek(void* context, curl_off_t offset, int origin) {
  auto* const exchange = static_cast<Exchange*>(context);
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  exchange->sent = std::min(static_cast<size_t>(offset), exchange->request->body.size());
  return CURL_SEEKFUNC_OK;
}

void set_method(CURL* handle, Exchange* exchange) {
  const S3Request& request = *exchange->request;
  const std::string_view method = request.method;
  const auto length = static_cast<curl_off_t>(request.body.size());
  if (method == "PUT") {
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, length);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_send);
    curl_easy_setopt(handle, CURLOPT_READDATA, exchange);
    curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(handle, CURLOPT_SEEKDATA, exchange);
  } else if (method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, length);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS,
                     length > 0 ? static_cast<const void*>(request.body.data()) : "");
  } else if (method == "DELETE") {
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "DELETE");
  } else {
    ASSERT(method == "GET");
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L);
  }
}

void set_timeouts(CURL* handle, const S3Request& request, const S3Patience& patience) {
  const std::string_view method = request.method;
  const int64_t stall_s = patience.stall_s * (method == "POST" ? kCompletionStalls : 1);
  const int64_t whole_ms = request.take
                               ? kDownloadMs
                               : std::max(kRequestMs, 2 * stall_s * 1000) +
                                     static_cast<int64_t>(request.body.size()) / kUploadBytesPerMs;
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(patience.connect_ms));
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(whole_ms));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(kLeastBytesPerS));
  curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(stall_s));
}

// libcurl signs the URL as it is given: encoded, with its query in order.
void set_signature(CURL* handle, const S3Location& location, const S3Credentials& credentials) {
  const std::string scheme = "aws:amz:" + location.region + ":s3";
  curl_easy_setopt(handle, CURLOPT_AWS_SIGV4, scheme.c_str());
  curl_easy_setopt(handle, CURLOPT_USERNAME, credentials.key_id.c_str());
  curl_easy_setopt(handle, CURLOPT_PASSWORD, credentials.secret.c_str());
}

bool is_worth_another_try(const S3Answer& answer) {
  switch (answer.status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return answer.fault.code == "InternalError" || answer.fault.code == "SlowDown" ||
             answer.fault.code == "RequestTimeout";
  }
}

std::string status_text(const S3Answer& answer) {
  std::string out = "status " + std::to_string(answer.status);
  if (!answer.fault.code.empty()) out += " " + answer.fault.code;
  if (!answer.fault.message.empty()) out += ": " + answer.fault.message;
  return out;
}

// Spread, so that those who failed together do not come back together.
void pause_before(int attempt, const std::string& url, const S3Patience& patience) {
  const auto spread = static_cast<int64_t>(hash_bytes(url, static_cast<uint64_t>(attempt)) % 1000);
  const int64_t pause_ms = patience.first_pause_ms << (attempt - 1);
  std::this_thread::sleep_for(std::chrono::microseconds(pause_ms * (500 + spread)));
}

// Why another try may help; empty if there is an answer. An error: it would not.
Result<std::string> try_once(Exchange* exchange) {
  CURL* const handle = exchange->handle;
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, exchange);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, exchange);
  set_method(handle, exchange);
  const CURLcode code = curl_easy_perform(handle);
  if (!exchange->taken) return exchange->taken.error();
  if (Status trusted = check_certificate(code); !trusted) return trusted.error();
  if (code != CURLE_OK) return std::string(curl_easy_strerror(code));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  S3Answer* const answer = &exchange->answer;
  answer->status = static_cast<int>(status);
  // Parts may fail to be put together after the status has been sent.
  const bool completion = std::string_view(exchange->request->method) == "POST";
  if (!answer->good() || completion) answer->fault = parse_s3_fault(answer->body);
  return is_worth_another_try(*answer) ? status_text(*answer) : std::string();
}

}  // namespace

// Handles that are not in use, each with its open connections.
class S3Client::Pool {
 public:
  Result<CurlEasy> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return make_curl_easy();
    CurlEasy handle = std::move(idle_.back());
    idle_.pop_back();
    return handle;
  }
  void give_back(CurlEasy handle) {
    curl_easy_reset(handle.get());
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(handle));
  }

 private:
  std::mutex mutex_;
  std::vector<CurlEasy> idle_;
};

S3Client::S3Client(S3Location location, S3Credentials credentials, S3Patience patience)
    : location_(std::move(location)),
      credentials_(std::move(credentials)),
      patience_(patience),
      pool_(std::make_unique<Pool>()) {}

S3Client::~S3Client() = default;

std::string S3Client::describe(const S3Request& request) const {
  std::string out = std::string(request.method) + " s3://" + location_.bucket;
  if (!request.object.empty()) out += "/" + request.object;
  return out + " at " + location_.base.substr(0, location_.base.find('/', sizeof("https://")));
}

std::string S3Client::url_of(const S3Request& request) const {
  ASSERT(std::is_sorted(request.query.begin(), request.query.end()));
  std::string url = location_.base + "/" + percent_encode(request.object, "/");
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    url += separator + percent_encode(name) + "=" + percent_encode(value);
    separator = '&';
  }
  return url;
}

Result<S3Answer> S3Client::call(const S3Request& request) {
  auto taken = pool_->take();
  if (!taken) return taken.error();
  CurlEasy handle = std::move(*taken);
  const std::string url = url_of(request);
  CurlHeaders headers;
  add_curl_header(&headers, "x-amz-content-sha256: " + sha256_hex(request.body));
  if (!credentials_.session_token.empty()) {
    add_curl_header(&headers, "x-amz-security-token: " + credentials_.session_token);
  }
  if (request.content_type != nullptr) {
    add_curl_header(&headers, std::string("Content-Type: ") + request.content_type);
  }
  std::string failure;
  for (int i = 0; i < patience_.tries; ++i) {
    if (i > 0) pause_before(i, url, patience_);
    if (request.restart) {
      if (Status ready = request.restart(); !ready) return ready.error();
    }
    Exchange exchange{handle.get(), &request, {}, 0, {}};
    curl_easy_reset(handle.get());
    curl_easy_setopt(handle.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, headers.get());
    set_signature(handle.get(), location_, credentials_);
    set_timeouts(handle.get(), request, patience_);
    auto tried = try_once(&exchange);
    if (!tried) return tried.error().within(describe(request));
    if (tried->empty()) {
      pool_->give_back(std::move(handle));
      return std::move(exchange.answer);
    }
    failure = std::move(*tried);
  }
  return retryable_error(describe(request) + ": " + failure + " (tried " +
                         std::to_string(patience_.tries) + " times)");
}

Error S3Client::error_of(const S3Request& request, const S3Answer& answer) const {
  const std::string what = describe(request) + ": " + status_text(answer);
  const std::string& code = answer.fault.code;
  if (answer.status == 404 && code != "NoSuchBucket") {
    return corrupt_error(what + "; there is no such object");
  }
  if (answer.status == 404) {
    return user_error(what + "; make the bucket '" + location_.bucket + "' first");
  }
  if (code == "RequestTimeTooSkewed") {
    return user_error(what + "; this machine's clock is wrong");
  }
  if (answer.status == 401 || answer.status == 403 || code == "ExpiredToken" ||
      code == "InvalidToken" || code == "InvalidAccessKeyId") {
    return user_error(
        what +
        "; the credentials in the environment (AWS_ACCESS_KEY_ID and so on) are wrong "
        "or may not do this: they need s3:GetObject, PutObject, DeleteObject, "
        "AbortMultipartUpload and ListBucket");
  }
  if (answer.status >= 300 && answer.status < 400) {
    const std::string region = answer.region.empty() ? "another region" : answer.region;
    return user_error(what + "; the bucket is in " + region + ", not in " + location_.region);
  }
  return retryable_error(what);
}

}  // namespace tidemill
