#include "shared/snapshot/s3_storage.h"

#include "shared/base/memory_account.h"
#include "shared/snapshot/disk_files.h"
#include "shared/snapshot/object_name.h"

namespace tidemill {
namespace {

constexpr const char* kBinary = "application/octet-stream";

class S3Storage : public SnapshotStorage {
 public:
  S3Storage(S3Location location, S3Credentials credentials, S3Patience patience,
            uint64_t part_bytes)
      : client_(std::move(location), std::move(credentials), patience), part_bytes_(part_bytes) {}

  Status put(const std::string& name, std::span<const uint8_t> bytes) override {
    if (Status named = check_object_name(name); !named) return named;
    const auto tag = put_bytes({.method = "PUT", .object = key(name)}, bytes);
    return tag ? Status{} : tag.error();
  }

  Status put_file(const std::string& name, const Disk& disk, const std::string& path) override {
    if (Status named = check_object_name(name); !named) return named;
    FileSource source(disk, path);
    if (Status opened = source.open(); !opened) return opened;
    if (source.size() > part_bytes_) return put_in_parts(name, &source);
    const HeldMemory memory(MemoryConsumer::kUploads, source.size());
    std::vector<uint8_t> bytes(source.size());
    const auto got = source.read(bytes);
    if (!got) return got.error();
    if (*got < bytes.size()) return shortened(path);
    return put(name, bytes);
  }

  Result<std::vector<uint8_t>> get(const std::string& name) override {
    if (Status named = check_object_name(name); !named) return named.error();
    const S3Request request{.object = key(name)};
    const auto answer = call(request);
    if (!answer) return answer.error();
    return std::vector<uint8_t>(answer->body.begin(), answer->body.end());
  }

  Status get_file(const std::string& name, const Disk& disk, const std::string& path) override {
    if (Status named = check_object_name(name); !named) return named;
    FileSink sink(disk, path);
    S3Request request{.object = key(name)};
    request.restart = [&sink] { return sink.open(0); };
    request.take = [&sink](std::span<const uint8_t> bytes) { return sink.append(bytes); };
    if (const auto answer = call(request); !answer) return answer.error();
    return sink.finish();
  }

  Result<std::vector<StoredObject>> list(const std::string& prefix) override {
    std::vector<StoredObject> out;
    std::string token;
    do {
      S3Request request;
      if (!token.empty()) request.query.emplace_back("continuation-token", token);
      request.query.emplace_back("list-type", "2");
      request.query.emplace_back("prefix", key(prefix));
      const auto answer = call(request);
      if (!answer) return answer.error();
      auto page = parse_s3_listing(answer->body);
      if (!page) return page.error();
      if (Status added = add(*page, prefix, &out); !added) return added.error();
      token = page->next;
    } while (!token.empty());
    std::sort(out.begin(), out.end(),
              [](const StoredObject& a, const StoredObject& b) { return a.name < b.name; });
    return out;
  }

  Status remove(const std::string& name) override {
    if (Status named = check_object_name(name); !named) return named;
    const auto answer = call({.method = "DELETE", .object = key(name)});
    if (answer || answer.error().code() == ErrorCode::kCorrupt) return {};  // not there: removed
    return answer.error();
  }

 private:
  std::string key(const std::string& name) const { return client_.location().prefix + name; }

  static Error shortened(const std::string& path) {
    return retryable_error(path + " became shorter while it was read");
  }

  // Good answers only.
  Result<S3Answer> call(const S3Request& request) {
    auto answer = client_.call(request);
    if (answer && !answer->good()) return client_.error_of(request, *answer);
    return answer;
  }

  // The tag of what was put.
  Result<std::string> put_bytes(S3Request request, std::span<const uint8_t> bytes) {
    request.body = bytes;
    request.content_type = kBinary;
    auto answer = call(request);
    if (!answer) return answer.error();
    return std::move(answer->tag);
  }

  // A page says nothing new if its keys do not go on where the last one ended.
  Status add(const S3Listing& page, const std::string& prefix, std::vector<StoredObject>* out) {
    const std::string& before = client_.location().prefix;
    for (const S3Listing::Entry& entry : page.entries) {
      if (!entry.key.starts_with(before + prefix)) continue;
      StoredObject object{entry.key.substr(before.size()), entry.bytes};
      if (!is_object_name(object.name)) continue;  // somebody else's
      if (!out->empty() && object.name <= out->back().name) {
        return retryable_error("listing s3://" + client_.location().bucket + "/" + before + prefix +
                               ": the server repeats itself");
      }
      out->push_back(std::move(object));
    }
    return {};
  }

  Status put_in_parts(const std::string& name, FileSource* source) {
    const S3Request begin{
        .method = "POST", .object = key(name), .query = {{"uploads", ""}}, .content_type = kBinary};
    const auto begun = call(begin);
    if (!begun) return begun.error();
    const auto id = parse_s3_upload_id(begun->body);
    if (!id) return id.error();
    Status done = put_parts(name, *id, source);
    if (!done) {
      // Best effort: a lifecycle rule removes what is left.
      static_cast<void>(
          client_.call({.method = "DELETE", .object = key(name), .query = {{"uploadId", *id}}}));
    }
    return done;
  }

  Status put_parts(const std::string& name, const std::string& id, FileSource* source) {
    const uint64_t part_bytes = std::max(part_bytes_, source->size() / kS3MaxParts + 1);
    const HeldMemory memory(MemoryConsumer::kUploads, part_bytes);
    std::vector<uint8_t> buffer(part_bytes);
    std::vector<std::string> tags;
    uint64_t sent = 0;
    while (sent < source->size()) {
      const auto got = source->read(buffer);
      if (!got) return got.error();
      if (*got == 0) return shortened(name);
      const std::string number = std::to_string(tags.size() + 1);
      auto tag = put_bytes({.method = "PUT",
                            .object = key(name),
                            .query = {{"partNumber", number}, {"uploadId", id}}},
                           std::span<const uint8_t>(buffer.data(), *got));
      if (!tag) return tag.error();
      tags.push_back(std::move(*tag));
      sent += *got;
    }
    const std::string completion = s3_completion(tags);
    const S3Request end{
        .method = "POST",
        .object = key(name),
        .query = {{"uploadId", id}},
        .body = {reinterpret_cast<const uint8_t*>(completion.data()), completion.size()},
        .content_type = "application/xml"};
    const auto ended = call(end);
    if (ended) return {};
    // Its first try may have been done, and only the answer lost: then there is no such upload any
    // more. The whole is tried again.
    if (ended.error().code() == ErrorCode::kCorrupt)
      return retryable_error(ended.error().message());
    return ended.error();
  }

  S3Client client_;
  const uint64_t part_bytes_;
};

}  // namespace

std::shared_ptr<SnapshotStorage> s3_storage(S3Location location, S3Credentials credentials,
                                            S3Patience patience, uint64_t part_bytes) {
  return std::make_shared<S3Storage>(std::move(location), std::move(credentials), patience,
                                     part_bytes);
}

}  // namespace tidemill
