// Rules of the house that a compiler does not know, held over the whole tree.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace tidemill {
namespace {

namespace fs = std::filesystem;

constexpr size_t kFileLinesMax = 600;

struct SourceFile {
  std::string path;  // from the top of the tree
  std::string text;
  std::string code;  // text with comments and the insides of literals blanked
};

// Same length and lines, so that positions still hold.
std::string code_only(const std::string& text) {
  enum class In { kCode, kLine, kBlock, kString, kChar } in = In::kCode;
  std::string out = text;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const bool digit_separator = c == '\'' && i > 0 && isalnum(text[i - 1]) != 0;
    if (in == In::kCode) {
      if (c == '/' && next == '/') in = In::kLine;
      if (c == '/' && next == '*') in = In::kBlock;
      if (c == '"') in = In::kString;
      if (c == '\'' && !digit_separator) in = In::kChar;
      if (in == In::kLine || in == In::kBlock) out[i] = ' ';
      continue;
    }
    if (c == '\n') {
      if (in != In::kBlock) in = In::kCode;
      continue;
    }
    out[i] = ' ';
    if ((in == In::kString || in == In::kChar) && c == '\\') {
      out[++i] = ' ';
    } else if ((in == In::kString && c == '"') || (in == In::kChar && c == '\'')) {
      out[i] = c;
      in = In::kCode;
    } else if (in == In::kBlock && c == '*' && next == '/') {
      out[++i] = ' ';
      in = In::kCode;
    }
  }
  return out;
}

std::vector<SourceFile> sources_under(const std::vector<std::string>& folders) {
  std::vector<SourceFile> files;
  const fs::path tree = fs::canonical(TIDEMILL_TREE);
  for (const std::string& folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(tree / folder)) {
      const std::string extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cc")) continue;
      std::ifstream in(entry.path());
      std::stringstream text;
      text << in.rdbuf();
      files.push_back(
          {entry.path().lexically_relative(tree).string(), text.str(), code_only(text.str())});
    }
  }
  EXPECT_GT(files.size(), 20u);
  return files;
}

const std::vector<SourceFile>& product() {
  static const auto files = sources_under({"shared", "worker", "serving", "coordinator", "cli"});
  return files;
}

size_t line_of(const std::string& text, size_t at) {
  return 1 +
         static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n'));
}

bool is_under(const SourceFile& file, const std::vector<std::string>& places) {
  for (const std::string& place : places) {
    if (file.path.starts_with(place)) return true;
  }
  return fs::path(file.path).filename() == "main.cc";
}

// Every match of `pattern` in code outside `allowed` is a failure.
void expect_none(const std::string& pattern, const std::vector<std::string>& allowed,
                 const std::string& rule) {
  const std::regex regex(pattern);
  for (const SourceFile& file : product()) {
    if (is_under(file, allowed)) continue;
    for (auto it = std::sregex_iterator(file.code.begin(), file.code.end(), regex);
         it != std::sregex_iterator(); ++it) {
      ADD_FAILURE() << file.path << ":" << line_of(file.code, static_cast<size_t>(it->position()))
                    << ": '" << it->str() << "': " << rule;
    }
  }
}

// `pattern` over the names in #include lines.
void expect_no_include(const std::string& pattern, const std::vector<std::string>& from,
                       const std::vector<std::string>& allowed, const std::string& rule) {
  const std::regex include("#include [<\"]([^>\"]+)[>\"]");
  const std::regex regex(pattern);
  for (const SourceFile& file : product()) {
    if (is_under(file, allowed)) continue;
    if (std::none_of(from.begin(), from.end(),
                     [&](const std::string& f) { return file.path.starts_with(f); })) {
      continue;
    }
    for (auto it = std::sregex_iterator(file.text.begin(), file.text.end(), include);
         it != std::sregex_iterator(); ++it) {
      const std::string name = (*it)[1].str();
      if (std::regex_search(name, regex)) {
        ADD_FAILURE() << file.path << ":" << line_of(file.text, static_cast<size_t>(it->position()))
                      << ": includes " << name << ": " << rule;
      }
    }
  }
}

const std::vector<std::string> kEdges{
    "shared/runtime/real/",     "shared/net/",         "shared/kafka/",
    "shared/registry/",         "shared/snapshot/s3_", "cli/",
    "shared/obs/stderr_sink.cc"};

TEST(House, CommentsAndLiteralsAreNotCode) {
  EXPECT_EQ(code_only("a // now()\nb"), "a         \nb");
  EXPECT_EQ(code_only("f(\"now()\") 'x' 1'000 /* y\n*/ z"), "f(\"     \") ' ' 1'000     \n   z");
}

TEST(House, TimeComesFromTheRuntime) {
  expect_none(
      R"(_clock::now\b|\bnow\(\)|\bclock_gettime\b|\bgettimeofday\b|\bstd::time\(|\btime\((nullptr|NULL|&)|)"
      R"(\bsleep_(for|until)\b|\busleep\b|\bnanosleep\b)",
      kEdges, "time and timers come from Runtime");
}

TEST(House, NoThreadsAndLocksOutsideTheEdges) {
  std::vector<std::string> locks = kEdges;
  // Shared by all that run_blocking runs.
  for (const char* name : {"shared/source/gzip_faults.cc", "shared/state/sst_readers."}) {
    locks.emplace_back(name);
  }
  expect_none(R"(std::(thread|jthread|async|future|promise|mutex|shared_mutex|recursive_mutex|)"
              R"(timed_mutex|condition_variable\w*|call_once|once_flag|barrier|latch|)"
              R"(counting_semaphore|binary_semaphore|lock_guard|unique_lock|scoped_lock)\b|)"
              R"(\bpthread_\w+)",
              locks, "actors have no threads and no locks; Runtime::run_blocking has both");
}

TEST(House, RandomnessComesFromTheRuntime) {
  expect_none(R"(std::\w*random_device|std::\w+_distribution\b|std::mt19937\w*|)"
              R"(std::default_random_engine|\bs?rand\(|\brandom\(\) *%|std::(random_)?shuffle\b)",
              {"shared/runtime/real/"},
              "randomness comes from Runtime::random or Random, which are the same everywhere");
}

TEST(House, NoCoroutines) {
  expect_none(R"(\bco_(await|yield|return)\b)", {}, "no coroutines: g++ 12 miscompiles them");
}

TEST(House, ProcessesMeetInSharedOnly) {
  const std::string rule = "coordinator, worker and serving meet in proto/ and shared/";
  expect_no_include("^(worker|serving)/", {"coordinator/"}, {}, rule);
  expect_no_include("^(coordinator|serving)/", {"worker/"}, {}, rule);
  expect_no_include("^(coordinator|worker)/", {"serving/"}, {}, rule);
  expect_no_include("^(coordinator|worker|serving|cli)/", {"shared/"}, {}, rule);
}

TEST(House, OnlyMainFilesNameARuntime) {
  expect_no_include("^shared/runtime/(real|sim)/",
                    {"shared/", "coordinator/", "worker/", "serving/", "cli/"}, {"shared/runtime/"},
                    "main files and tests choose the runtime");
}

TEST(House, TheNetworkAndTheLogAreFenced) {
  const std::vector<std::string> all{"shared/", "coordinator/", "worker/", "serving/", "cli/"};
  expect_no_include("^zmq", all, {"shared/runtime/real/"}, "ZeroMQ is the real runtime's");
  expect_no_include("^boost/", all, {"shared/runtime/real/", "shared/net/", "cli/"},
                    "Boost is for the edges");
  expect_no_include("^librdkafka/", all, {"shared/kafka/"}, "librdkafka is for shared/kafka");
  expect_no_include("^curl/", all, {"shared/curl/"}, "libcurl is for shared/curl");
  expect_no_include("^shared/curl/", all,
                    {"shared/curl/", "shared/snapshot/s3_", "shared/registry/"},
                    "S3 is for shared/snapshot, schemas of records for shared/registry");
  expect_no_include("^pugixml", all, {"shared/snapshot/s3_"}, "S3 is for shared/snapshot");
  expect_no_include("^(spdlog|fmt)/", all, {"shared/obs/"}, "log with shared/obs/log.h");
  expect_no_include("^absl/time", all, {"shared/base/time_zone.cc"}, "use TimeZone");
  expect_no_include("^(zlib|zstd|snappy)", all,
                    {"shared/source/gzip_text.cc", "shared/source/avro_codecs.cc"},
                    "read with FileText or an Avro container");
  expect_no_include("^(arrow|parquet)/", all, {"shared/parquet/arrow_"},
                    "Arrow is for libtidemill_parquet.so");
  expect_no_include("^google/protobuf/compiler/", all, {"shared/schema/"},
                    "ProtobufSchema compiles .proto text");
}

TEST(House, FilesAreOfASizeThatCanBeRead) {
  auto files = product();
  for (SourceFile& file : sources_under({"tests", "bench"})) files.push_back(std::move(file));
  for (const SourceFile& file : files) {
    const auto lines = static_cast<size_t>(std::count(file.text.begin(), file.text.end(), '\n'));
    EXPECT_LE(lines, kFileLinesMax) << file.path;
  }
}

TEST(House, HeadersSayWhatTheyAre) {
  for (const SourceFile& file : product()) {
    if (!file.path.ends_with(".h")) continue;
    EXPECT_TRUE(file.text.starts_with("// ")) << file.path << ": its first line says what it is";
    EXPECT_NE(file.text.find("#pragma once"), std::string::npos) << file.path;
  }
}

TEST(House, NothingIsLeftForLater) {
  const std::regex marker(R"(\b(TODO|FIXME|XXX|HACK)\b)");
  for (const SourceFile& file : product()) {
    EXPECT_FALSE(std::regex_search(file.text, marker)) << file.path;
  }
}

}  // namespace
}  // namespace tidemill
