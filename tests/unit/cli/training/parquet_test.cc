// Spines, histories and training sets in Parquet, in all combinations with CSV.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/training/training_set.h"
#include "shared/parquet/parquet_file.h"
#include "shared/plan/yaml_job.h"

namespace tidemill::training {
namespace {

namespace fs = std::filesystem;

constexpr TimeUs kStart = 1'522'540'800'000'000;  // 2018-04-01

constexpr const char* kHistory =
    "t,who,n,x,what,raw\n"
    "2018-04-01T00:00:10Z,a,1,1.5,\"p, \"\"q\"\"\",\\x00ff\n"
    "2018-04-01T00:00:20Z,a,2,2.5,r,\n"
    "2018-04-01T00:00:20Z,b,3,0.25,,\n"
    "2018-04-01T00:00:30Z,a,4,9.5,r,\\x\n";

constexpr const char* kViews = R"(
views:
  v:
    source: in
    entity: [who]
    aggregations:
      - {function: count, windows: [20s]}
      - {name: x, function: sum, column: x, windows: [20s]}
      - {name: least, function: min, column: n, windows: [1h]}
      - {name: at, function: max, column: t, windows: [1h]}
      - {name: what, function: last_n, column: what, n: 3, windows: [1h]}
      - {name: raws, function: last_n, column: raw, n: 3, windows: [1h]}
      - {name: often, function: histogram, column: what, windows: [1h]}
)";

std::string read_file(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class FileInput : public ParquetInput {
 public:
  explicit FileInput(const std::string& path) : bytes_(read_file(path)) {}
  uint64_t size() const override { return bytes_.size(); }
  Status read(uint64_t offset, char* to, size_t bytes) override {
    bytes_.copy(to, bytes, offset);
    return {};
  }

 private:
  std::string bytes_;
};

class FileOutput : public ParquetOutput {
 public:
  explicit FileOutput(const std::string& path) : out_(path, std::ios::binary) {}
  Status write(std::string_view bytes) override {
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return {};
  }

 private:
  std::ofstream out_;
};

// All rows of a Parquet file as JSON, a line each.
std::string json_of(const std::string& path) {
  auto reader = open_parquet_reader(std::make_unique<FileInput>(path));
  EXPECT_TRUE(reader.ok()) << reader.error().message();
  EXPECT_TRUE((*reader)->select({}, true).ok());
  std::string out;
  ParquetBatch batch;
  for (uint64_t row = 0; row < (*reader)->rows(); row += batch.rows) {
    EXPECT_TRUE((*reader)->read(row, 100, 1 << 20, &batch).ok());
    for (size_t i = 0; i < batch.rows; ++i) {
      batch.whole->append_json(i, &out);
      out += "\n";
    }
  }
  return out;
}

class ParquetTrainingTest : public testing::Test {
 protected:
  ParquetTrainingTest() {
    std::string name = (fs::temp_directory_path() / "tidemill_parquet_XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    write("in.csv", kHistory);
    options_.spill_dir = directory_;
    options_.threads = 2;
    options_.now = 1'800'000'000'000'000;
    options_.progress = [](Phase, uint64_t, uint64_t) {};
  }
  ~ParquetTrainingTest() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  // Columns label int32, who string, event_time, tags: a list of strings.
  void write_spine(const std::vector<std::string_view>& who,
                   const std::vector<int64_t>& seconds) const {
    std::vector<ParquetField> fields{
        {"label", ColumnType::kInt32},
        {"who", ColumnType::kString},
        {"event_time", ColumnType::kTimestamp},
        {"tags", ColumnType::kString, ParquetField::Shape::kLists, {}}};
    std::vector<ParquetValues> values(fields.size());
    for (size_t c = 0; c < fields.size(); ++c) values[c].items.type = fields[c].type;
    for (size_t i = 0; i < who.size(); ++i) {
      values[0].items.nulls.push_back(i == 1 ? 1 : 0);
      values[0].items.ints.push_back(static_cast<int64_t>(i));
      values[1].items.nulls.push_back(who[i] == "null" ? 1 : 0);
      values[1].items.strings.push_back(who[i]);
      values[2].items.nulls.push_back(seconds[i] < 0 ? 1 : 0);
      values[2].items.ints.push_back(kStart + seconds[i] * kMicrosPerSecond);
      values[3].items.nulls.push_back(0);
      values[3].items.strings.push_back("x");
      values[3].nulls.push_back(0);
      values[3].ends.push_back(static_cast<uint32_t>(i + 1));
    }
    FileOutput out(path("spine.parquet"));
    auto writer = open_parquet_writer(&out, nullptr, fields);
    ASSERT_TRUE(writer.ok()) << writer.error().message();
    std::vector<const ParquetValues*> columns;
    for (const ParquetValues& each : values) columns.push_back(&each);
    ASSERT_TRUE((*writer)->write(who.size(), nullptr, columns).ok());
    ASSERT_TRUE((*writer)->finish().ok());
  }
  Result<TrainingSetReport> make(const std::string& spine, const std::string& out,
                                 const std::string& history = "in.csv") {
    CompiledJob compiled = compile_job(R"(
job: trained
sources:
  in:
    schema: {t: timestamp, who: string, n: int64, x: double, what: string, raw: bytes}
    event_time: t
    history: {files: ")" + history + "\"}\n" +
                                           kViews,
                                       directory_);
    for (const JobError& error : compiled.errors) ADD_FAILURE() << to_string(error, "job");
    options_.spine = path(spine);
    options_.out = path(out);
    return make_training_set(std::move(compiled.plan), options_);
  }
  void expect_made(const std::string& spine, const std::string& out,
                   const std::string& history = "in.csv") {
    const auto made = make(spine, out, history);
    ASSERT_TRUE(made.ok()) << made.error().message();
  }

  std::string directory_;
  TrainingSetOptions options_;
};

constexpr const char* kFeaturesOfA =
    R"("v__count_20s":2,"v__x_20s":12.0,"v__least_1h":1,"v__at_1h":"2018-04-01T00:00:30Z",)"
    R"("v__what_1h":["p, \"q\"","r","r"],"v__raws_1h":["\\x00ff","\\x"],)"
    R"("v__often_1h":{"p, \"q\"":1,"r":2}})";
constexpr const char* kFeaturesOfNobody =
    R"("v__count_20s":0,"v__x_20s":null,"v__least_1h":null,"v__at_1h":null,"v__what_1h":null,)"
    R"("v__raws_1h":null,"v__often_1h":null})";

TEST_F(ParquetTrainingTest, ParquetIntoParquetKeepsColumnsAndTypesOfBoth) {
  write_spine({"a", "null", "nobody"}, {30, 30, 30});
  expect_made("spine.parquet", "out.parquet");
  const std::string time = R"("event_time":"2018-04-01T00:00:30Z","tags":["x"],)";
  EXPECT_EQ(json_of(path("out.parquet")),
            R"({"label":0,"who":"a",)" + time + kFeaturesOfA + "\n" +
                R"({"label":null,"who":null,)" + time + kFeaturesOfNobody + "\n" +
                R"({"label":2,"who":"nobody",)" + time + kFeaturesOfNobody + "\n");
}

TEST_F(ParquetTrainingTest, ParquetIntoCsvIsText) {
  write_spine({"a", "null"}, {30, 9});
  expect_made("spine.parquet", "out.csv");
  EXPECT_EQ(
      read_file(path("out.csv")),
      "label,who,event_time,tags,v__count_20s,v__x_20s,v__least_1h,v__at_1h,v__what_1h,"
      "v__raws_1h,v__often_1h\n"
      "0,a,2018-04-01T00:00:30Z,\"[\"\"x\"\"]\",2,12.0,1,1522540830000000,"
      "\"[\"\"p, \\\"\"q\\\"\"\"\",\"\"r\"\",\"\"r\"\"]\",\"[\"\"\\\\x00ff\"\",\"\"\\\\x\"\"]\","
      "\"{\"\"p, \\\"\"q\\\"\"\"\":1,\"\"r\"\":2}\"\n"
      ",,2018-04-01T00:00:09Z,\"[\"\"x\"\"]\",0,,,,,,\n");
}

TEST_F(ParquetTrainingTest, CsvIntoParquetHasTypesForWhatTheJobKnows) {
  write("spine.csv",
        "label,who,event_time,note\n"
        "1,a,2018-04-01T00:00:30Z,\n"
        "01,\"nobody\",2018-04-01T02:00:30+02:00,\"\"\n");
  expect_made("spine.csv", "out.parquet");
  const std::string time = R"("event_time":"2018-04-01T00:00:30Z",)";
  EXPECT_EQ(json_of(path("out.parquet")), R"({"label":"1","who":"a",)" + time + R"("note":null,)" +
                                              kFeaturesOfA + "\n" +
                                              R"({"label":"01","who":"nobody",)" + time +
                                              R"("note":"",)" + kFeaturesOfNobody + "\n");
}

// Columns that the job does not know are text in Parquet, and any bytes in CSV.
TEST_F(ParquetTrainingTest, CsvThatIsNoUtf8DoesNotBecomeParquet) {
  const std::string bad = "a,2018-04-01T00:00:30Z,\"x\xff\"";
  write("spine.csv", "who,event_time,note\na,2018-04-01T00:00:30Z,\xc3\xa4\n" + bad + "\n");
  const auto made = make("spine.csv", "out.parquet");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().message(),
            path("spine.csv") +
                ":3: column 'note': 'x?' is not valid UTF-8; write the spine in UTF-8, or the "
                "training set as CSV");
  EXPECT_FALSE(fs::exists(path("out.parquet")));
  expect_made("spine.csv", "out.csv");
  EXPECT_NE(read_file(path("out.csv")).find("\n" + bad + ","), std::string::npos);
  write("spine.csv", "who,event_time,no\xff\na,2018-04-01T00:00:30Z,x\n");
  const auto named = make("spine.csv", "out.parquet");
  ASSERT_FALSE(named.ok());
  EXPECT_NE(named.error().message().find(":1: the names of its columns are not valid UTF-8"),
            std::string::npos);
}

TEST_F(ParquetTrainingTest, ManyRowsStayInOrder) {
  std::vector<std::string_view> who;
  std::vector<int64_t> seconds;
  for (int i = 0; i < 40'000; ++i) {
    who.push_back(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "null");
    seconds.push_back((i * 7919) % 60);
  }
  write_spine(who, seconds);
  options_.memory_budget = 1 << 20;  // so that some of it is on disk
  expect_made("spine.parquet", "out.parquet");
  expect_made("spine.parquet", "out.csv");
  auto reader = open_parquet_reader(std::make_unique<FileInput>(path("out.parquet")));
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(
      (*reader)
          ->select({{"label", ColumnType::kInt32}, {"v__count_20s", ColumnType::kInt64}}, false)
          .ok());
  std::ifstream csv(path("out.csv"));
  std::string line;
  std::getline(csv, line);
  ParquetBatch batch;
  for (uint64_t row = 0; row < 40'000; row += batch.rows) {
    ASSERT_TRUE((*reader)->read(row, 1 << 16, 1 << 20, &batch).ok());
    for (size_t i = 0; i < batch.rows; ++i) {
      std::getline(csv, line);
      const std::string label =
          batch.columns[0].nulls[i] != 0 ? "" : std::to_string(batch.columns[0].ints[i]);
      ASSERT_EQ(line.substr(0, line.find(',')), label);
      ASSERT_NE(line.find("]\"," + std::to_string(batch.columns[1].ints[i]) + ","),
                std::string::npos)
          << line;
    }
  }
}

TEST_F(ParquetTrainingTest, ASpineThatCannotBeUsedIsRefused) {
  write_spine({"a", "b"}, {30, -1});
  auto made = make("spine.parquet", "out.parquet");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().message(),
            path("spine.parquet") +
                ": row 1: column 'event_time' is empty; every event needs its time, such as "
                "2018-04-01T00:00:31Z");
  EXPECT_FALSE(fs::exists(path("out.parquet")));
  options_.time_column = "label";
  made = make("spine.parquet", "out.parquet");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().message(),
            "--spine: " + path("spine.parquet") +
                ": column 'label' is an int32 in the file, and timestamp is wanted; it can be read "
                "as int64, int32, double, decimal or json");
}

// What was made of it is history for another one.
TEST_F(ParquetTrainingTest, HistoryInParquetGivesWhatTheSameCsvGives) {
  std::vector<ParquetField> fields{{"t", ColumnType::kTimestamp}, {"who", ColumnType::kString},
                                   {"n", ColumnType::kInt64},     {"x", ColumnType::kDouble},
                                   {"what", ColumnType::kString}, {"raw", ColumnType::kBytes}};
  std::vector<ParquetValues> values(fields.size());
  for (size_t c = 0; c < fields.size(); ++c) {
    values[c].items.type = fields[c].type;
    values[c].items.nulls = {0, 0, 0, 0};
  }
  for (const int64_t second : {10, 20, 20, 30}) {
    values[0].items.ints.push_back(kStart + second * kMicrosPerSecond);
  }
  values[1].items.strings = {"a", "a", "b", "a"};
  values[2].items.ints = {1, 2, 3, 4};
  values[3].items.doubles = {1.5, 2.5, 0.25, 9.5};
  values[4].items.strings = {"p, \"q\"", "r", "", "r"};
  values[4].items.nulls = {0, 0, 1, 0};
  values[5].items.strings = {std::string_view("\0\xff", 2), "", "", ""};
  values[5].items.nulls = {0, 1, 1, 0};
  {
    FileOutput out(path("in.parquet"));
    auto writer = open_parquet_writer(&out, nullptr, fields);
    ASSERT_TRUE(writer.ok());
    std::vector<const ParquetValues*> columns;
    for (const ParquetValues& each : values) columns.push_back(&each);
    ASSERT_TRUE((*writer)->write(4, nullptr, columns).ok());
    ASSERT_TRUE((*writer)->finish().ok());
  }
  write_spine({"a", "b", "a"}, {30, 25, 15});
  expect_made("spine.parquet", "of_csv.csv");
  expect_made("spine.parquet", "of_parquet.csv", "in.parquet");
  EXPECT_EQ(read_file(path("of_parquet.csv")), read_file(path("of_csv.csv")));
}

}  // namespace
}  // namespace tidemill::training
