#include <array>
#include <set>

#include "shared/base/hash.h"
#include "shared/base/utf8.h"
#include "shared/expr/scalars.h"
#include "shared/expr/suggest.h"
#include "shared/plan/file_format.h"
#include "shared/plan/file_pattern.h"
#include "shared/plan/limits.h"
#include "shared/plan/yaml_inputs.h"

namespace tidemill {
namespace {

class FilesCompiler {
 public:
  FilesCompiler(YamlFields* fields, JobContext* job, proto::Source* source)
      : fields_(*fields),
        job_(*job),
        files_(*fields->find("files")),
        input_(*source->mutable_files()) {}

  void compile() {
    input_.set_follow(fields_.boolean("follow", false));
    const size_t before = job_.errors->size();
    const auto patterns = scalars_of(files_, fields_.path_of("files"), job_.errors);
    if (patterns.empty() && job_.errors->size() == before) {
      fields_.error(files_, "files", "expected a file name pattern, or a list of them");
    }
    std::set<std::string> paths;
    std::set<std::string> names;  // that say the format
    for (const YamlNode* pattern : patterns) {
      const std::string key = item_key(files_, *pattern, "files");
      if (input_.follow() && add_pattern(*pattern, key)) names.insert(pattern->scalar);
      add_paths(*pattern, key, &paths);
    }
    for (const std::string& path : paths) input_.add_paths(path);
    if (!input_.follow()) input_.set_patterns_hash(hash_of(patterns));
    compile_format(input_.follow() ? names : paths);
    if (input_.format() == proto::FilesInput::AVRO) check_complete("Avro", "blocks", paths);
    if (input_.format() == proto::FilesInput::PARQUET) check_complete("Parquet", "pages", paths);
    if (const YamlNode* stray = fields_.find("replay"); stray != nullptr && input_.follow()) {
      fields_.error(*stray, "replay",
                    "a followed file is read as it grows, not replayed: leave one of the two out");
    } else {
      input_.set_replay_speed(compile_replay(&fields_));
    }
  }

 private:
  // False, with an error, if files that match it cannot be followed.
  bool add_pattern(const YamlNode& node, const std::string& key) {
    const std::string& pattern = node.scalar;
    if (pattern.empty() || pattern.ends_with('/')) {
      fields_.error(node, key, "expected a file name pattern, found '" + pattern + "'");
    } else if (is_compressed(pattern)) {
      fields_.error(node, key, kCompressed);
    } else if (static_cast<size_t>(input_.patterns_size()) == limits::kFilePatterns) {
      fields_.error(node, key,
                    "at most " + std::to_string(limits::kFilePatterns) +
                        " patterns can be followed in one source");
    } else {
      std::string absolute = absolute_pattern(pattern, job_.base_dir);
      if (is_valid_utf8(absolute)) {
        input_.add_patterns(std::move(absolute));
        return true;
      }
      fields_.error(node, key,
                    "the name of the directory '" + printable(absolute, absolute.size()) +
                        "' is not valid UTF-8; rename it");
    }
    return false;
  }

  uint64_t hash_of(const std::vector<const YamlNode*>& patterns) const {
    std::set<std::string> absolute;
    for (const YamlNode* pattern : patterns) {
      absolute.insert(absolute_pattern(pattern->scalar, job_.base_dir));
    }
    std::string bytes;
    for (const std::string& pattern : absolute) bytes.append(pattern).push_back('\0');
    return hash_bytes(bytes, 0);
  }

  Result<std::vector<std::string>> files_of(const std::string& pattern) const {
    const std::string absolute = absolute_pattern(pattern, job_.base_dir);
    auto found =
        input_.follow() ? matching_files(absolute) : expand_pattern(pattern, job_.base_dir);
    if (found.ok() || job_.input_files == InputFiles::kRequired) return found;
    return input_.follow() ? std::vector<std::string>() : std::vector<std::string>{absolute};
  }

  void add_paths(const YamlNode& node, const std::string& key, std::set<std::string>* paths) {
    Result<std::vector<std::string>> found = files_of(node.scalar);
    if (!found.ok()) return fields_.error(node, key, found.error().message());
    for (std::string& path : *found) {
      // What is compressed was rotated away: it is found as others are later, once it is bound.
      if (input_.follow() && is_compressed(path)) continue;
      if (!is_valid_utf8(path)) {
        return fields_.error(node, key,
                             "the file name '" + printable(path, path.size()) +
                                 "' is not valid UTF-8; rename the file or its directory");
      }
      paths->insert(std::move(path));
    }
  }

  void compile_format(const std::set<std::string>& names) {
    constexpr std::array<proto::FilesInput::Format, 4> kFormats{
        proto::FilesInput::CSV, proto::FilesInput::NDJSON, proto::FilesInput::AVRO,
        proto::FilesInput::PARQUET};
    if (fields_.find("format") != nullptr) {
      input_.set_format(
          kFormats[fields_.choice("format", {"csv", "ndjson", "avro", "parquet"}, 0)]);
      return;
    }
    for (const std::string& name : names) {
      const auto format = file_format(name);
      const bool differs =
          input_.format() != proto::FilesInput::FORMAT_UNSPECIFIED && input_.format() != format;
      if (format == proto::FilesInput::FORMAT_UNSPECIFIED || differs) {
        fields_.error(files_, "files",
                      (differs ? "the files have several formats, such as that of '"
                               : "cannot tell the format of '") +
                          name.substr(name.rfind('/') + 1) +
                          "'; write format: csv, ndjson, avro or parquet");
        return;
      }
      input_.set_format(format);
    }
  }

  // These are written once, and compress what is in them.
  void check_complete(const std::string& kind, const std::string& parts,
                      const std::set<std::string>& paths) {
    if (input_.follow()) {
      fields_.error(
          *fields_.find("follow"), "follow",
          kind + " files are read when they are complete, not as they grow: leave it out");
    }
    for (const std::string& path : paths) {
      if (!is_compressed(path)) continue;
      return fields_.error(files_, "files",
                           "'" + path.substr(path.rfind('/') + 1) + "' is compressed as a whole; " +
                               kind + " files compress their own " + parts +
                               ": give the file as it was before");
    }
  }

  static constexpr char kCompressed[] =
      "compressed files do not grow, so none are followed; those that a pattern of growing files "
      "matches are read as well; write a source of their own, without follow, for others";

  YamlFields& fields_;
  JobContext& job_;
  const YamlNode& files_;
  proto::FilesInput& input_;
};

}  // namespace

void compile_files(YamlFields* fields, JobContext* job, proto::Source* source) {
  FilesCompiler(fields, job, source).compile();
}

double compile_replay(YamlFields* fields) {
  const std::optional<std::string> text = fields->text("replay");
  if (!text.has_value() || *text == "max") return 0;
  double speed = 0;
  if (text->ends_with('x') && text_to_double(text->substr(0, text->size() - 1), &speed) &&
      speed > 0 && speed <= limits::kReplaySpeed) {
    return speed;
  }
  fields->error(*fields->find("replay"), "replay",
                "expected max (as fast as possible) or a multiple of event time such as 60x, "
                "found '" +
                    clipped(*text, 60) + "'");
  return 0;
}

}  // namespace tidemill
