#include "shared/snapshot/s3_answers.h"

#include <charconv>
#include <pugixml.hpp>
#include <sstream>

namespace tidemill {
namespace {

constexpr size_t kMaxFaultBytes = 300;  // of a message, in ours

Error not_a(const char* what) {
  return retryable_error(std::string("the answer is no ") + what + "; is this an S3 server?");
}

bool parse(std::string_view xml, pugi::xml_document* out) {
  return static_cast<bool>(out->load_buffer(xml.data(), xml.size()));
}

}  // namespace

S3Fault parse_s3_fault(std::string_view xml) {
  pugi::xml_document document;
  if (!parse(xml, &document)) return {};
  const pugi::xml_node error = document.child("Error");
  S3Fault out{error.child_value("Code"), error.child_value("Message")};
  out.code.resize(std::min(out.code.size(), kMaxFaultBytes));
  out.message.resize(std::min(out.message.size(), kMaxFaultBytes));
  return out;
}

Result<S3Listing> parse_s3_listing(std::string_view xml) {
  pugi::xml_document document;
  if (!parse(xml, &document)) return not_a("listing");
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!root) return not_a("listing");
  S3Listing out;
  for (const pugi::xml_node& node : root.children("Contents")) {
    S3Listing::Entry entry{node.child_value("Key"), 0};
    const std::string_view size = node.child_value("Size");
    const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), entry.bytes);
    if (entry.key.empty() || error != std::errc() || end != size.data() + size.size()) {
      return not_a("listing");
    }
    out.entries.push_back(std::move(entry));
  }
  if (std::string_view(root.child_value("IsTruncated")) == "true") {
    out.next = root.child_value("NextContinuationToken");
    if (out.next.empty()) return not_a("listing");
  }
  return out;
}

Result<std::string> parse_s3_upload_id(std::string_view xml) {
  pugi::xml_document document;
  if (!parse(xml, &document)) return not_a("upload");
  std::string id = document.child("InitiateMultipartUploadResult").child_value("UploadId");
  if (id.empty()) return not_a("upload");
  return id;
}

std::string s3_completion(const std::vector<std::string>& part_tags) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  for (size_t i = 0; i < part_tags.size(); ++i) {
    pugi::xml_node part = root.append_child("Part");
    part.append_child("PartNumber").text().set(static_cast<unsigned>(i + 1));
    part.append_child("ETag").text().set(part_tags[i].c_str());
  }
  std::ostringstream out;
  document.save(out, "", pugi::format_raw | pugi::format_no_declaration);
  return out.str();
}

}  // namespace tidemill
