#include "shared/state/partition_disk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "shared/base/assert.h"
#include "shared/obs/log.h"
#include "shared/state/change_cursor.h"
#include "shared/state/env_files.h"
#include "shared/state/key_reader.h"
#include "shared/state/log_file.h"
#include "shared/state/manifest.h"
#include "shared/state/sst_file.h"
#include "shared/state/state_directory.h"
#include "shared/state/state_merge.h"
#include "shared/state/state_value.h"
#include "shared/window/block_list.h"

namespace tidemill {
namespace {

constexpr uint32_t kIncrementsBeforeBase = 8;  // while there is none
constexpr uint64_t kIncrementsPerBase = 2;  // rows that increments may have, for each of the base
constexpr const char* kSortedLogs = "logs.sst.tmp";

bool is_log(const proto::StateFile& file) { return is_log_file_name(file.name()); }

// Appends the image of a key whose values are these; of one that nothing is left of only if
// `say_gone`, without rows.
Status put_image(const StateKeyView& key, TimeUs horizon, std::span<const std::string_view> values,
                 bool say_gone, ValueMerger* merger, ByteWriter* out) {
  auto left = merger->merge(key.table, horizon, values);
  if (!left) return left.error();
  if (!*left && !say_gone) return {};
  encode_image_head(key.table, key.hash, key.key, out);
  merger->append_body(out);
  return {};
}

class FilesScan final : public StateScan {
 public:
  FilesScan(TableSchemas schemas, StateHead head, bool whole, StateMerge merge)
      : head_(std::move(head)),
        whole_(whole),
        merge_(std::move(merge)),
        values_(std::move(schemas)) {}

  const StateHead& head() const override { return head_; }
  bool whole() const override { return whole_; }

  Result<bool> next(size_t max_bytes, ByteWriter* images) override {
    const size_t begin = images->size();
    while (images->size() - begin < max_bytes) {
      auto more = merge_.next();
      if (!more) return more.error();
      if (!*more) break;
      if (Status put = put_current(images); !put) return put.error();
    }
    return images->size() > begin;
  }

 private:
  Status put_current(ByteWriter* images) {
    StateKeyView key;
    if (!decode_state_key(merge_.key(), &key)) return corrupt_error("a state holds no such key");
    return put_image(key, head_.horizon, merge_.values(), !whole_, &values_, images);
  }

  StateHead head_;
  bool whole_;
  StateMerge merge_;
  ValueMerger values_;
};

class PartitionDiskImpl final : public PartitionDisk {
 public:
  explicit PartitionDiskImpl(PartitionDiskConfig config)
      : PartitionDisk(std::move(config)),
        files_(config_),
        values_(std::make_unique<ValueMerger>(config_.schemas)) {}

  Status load();

  void set_schemas(TableSchemas schemas) override {
    ASSERT(reads_states_of(*schemas, schema_hash(*config_.schemas)));
    files_.set_schemas(schemas);
    config_.schemas = std::move(schemas);
    values_ = std::make_unique<ValueMerger>(config_.schemas);
  }

  const proto::StateManifest* manifest() const override {
    return manifest_ ? &*manifest_ : nullptr;
  }
  uint32_t refused_manifests() const override { return refused_; }
  Status write(const Increment& increment) override;
  Status adopt(const proto::StateManifest& manifest) override;
  bool has(const proto::StateFile& file) const override;
  Status remove_unused() override;
  Status note_objects(const std::vector<proto::StateFile>& files) override;
  Result<std::vector<std::vector<uint8_t>>> get(std::span<const StateKey> keys) override;
  Result<std::unique_ptr<StateScan>> scan(std::optional<uint64_t> since) override;
  uint64_t memory_bytes() const override {
    return key_reader_ == nullptr ? 0 : key_reader_->memory_bytes();
  }

 private:
  enum class Form { kBase, kSorted, kLog };
  using Parts = std::vector<std::unique_ptr<StateCursor>>;
  using Files = std::vector<const proto::StateFile*>;

  bool base_is_due() const;
  Form form_of(const Increment& increment) const;
  Result<proto::StateFile> write_file(const Increment& increment, Form form, uint64_t from_version);
  Status write_log(const Increment& increment, proto::StateFile* file);
  Status write_sst(const Increment& increment, proto::StateFile* file);
  Status write_rows(ChangeCursor* changes, SstFileOut* out, proto::StateFile* file);
  Status write_base(TimeUs horizon, Parts parts, SstFileOut* out, proto::StateFile* file);
  Result<std::unique_ptr<ChangeCursor>> open_logs(const Files& logs,
                                                  std::span<const StateChange> behind) const;
  Files files_of_form(bool log) const;
  Status open_files(const Files& files, Parts* parts) const;
  int files_up_to(uint64_t version) const;
  Result<std::vector<std::string>> sorted_files();
  void hold(proto::StateManifest manifest);
  void forget_unused();
  Status open_reader();

  StateDirectory files_;
  std::unique_ptr<ValueMerger> values_;
  std::optional<proto::StateManifest> manifest_;
  std::optional<proto::StateManifest> previous_;
  uint32_t refused_ = 0;
  std::unique_ptr<KeyReader> key_reader_;  // of manifest_'s files
  std::string links_name_;
  uint64_t readers_opened_ = 0;
};

Status PartitionDiskImpl::load() {
  auto loaded = files_.load();
  if (!loaded) return loaded.error();
  manifest_ = std::move(loaded->newest);
  previous_ = std::move(loaded->previous);
  refused_ = loaded->refused;
  forget_unused();
  return {};
}

// Increments that are more than the base make reading slow and keep what is below the horizon. Rows
// are counted, not bytes: those of a log take three times as many as those of a base.
bool PartitionDiskImpl::base_is_due() const {
  if (!manifest_) return false;
  uint64_t base_rows = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint32_t count = 0;
  for (const proto::StateFile& file : manifest_->files()) {
    if (file.base()) {
      base_rows += file.rows();
      continue;
    }
    rows += std::max(file.rows(), file.keys());  // images may be of keys without rows
    bytes += file.bytes();
    ++count;
  }
  if (count >= config_.max_increments) return true;
  // While keys are read singly, each file is looked into.
  if (key_reader_ != nullptr && base_rows == 0) return count >= kIncrementsBeforeBase;
  const bool worth_it = key_reader_ != nullptr || bytes > config_.log_limit_bytes;
  return worth_it && rows > kIncrementsPerBase * base_rows;
}

// Sorting costs more than all the rest of writing, so it is left until it is needed: for keys to be
// read singly, or so that logs do not become too many.
PartitionDiskImpl::Form PartitionDiskImpl::form_of(const Increment& increment) const {
  const auto is_image = [](const StateChange& c) { return c.kind == StateChange::Kind::kImages; };
  const bool images = std::any_of(increment.changes.begin(), increment.changes.end(), is_image);
  if (!increment.whole && base_is_due()) return Form::kBase;
  if (images) return increment.whole ? Form::kBase : Form::kSorted;
  if (key_reader_ != nullptr) return Form::kSorted;
  uint64_t bytes = 0;
  for (const StateChange& change : increment.changes) bytes += change.bytes.size();
  if (manifest_ && !increment.whole) {
    for (const proto::StateFile& f : manifest_->files()) bytes += is_log(f) ? f.bytes() : 0;
  }
  return bytes > config_.log_limit_bytes ? Form::kSorted : Form::kLog;
}

Status PartitionDiskImpl::write(const Increment& increment) {
  const Stamp stamp = increment.head.stamp();
  if (!increment.whole && manifest_ && stamp == stamp_of(*manifest_)) return {};
  const uint64_t held = manifest_ ? stamp_of(*manifest_).version : 0;
  if (!increment.whole && increment.from_version != held) {
    return fatal_error("an increment from version " + std::to_string(increment.from_version) +
                       " was to follow version " + std::to_string(held) + " in " +
                       config_.directory);
  }
  const Form form = form_of(increment);
  proto::StateManifest manifest;
  if (manifest_ && !increment.whole && form != Form::kBase) {
    for (const proto::StateFile& file : manifest_->files()) {
      if (form == Form::kLog || !is_log(file)) *manifest.add_files() = file;
    }
  }
  const uint64_t from = manifest.files().empty() ? 0 : manifest.files().rbegin()->to_version();
  auto file = write_file(increment, form, from);
  if (!file) return file.error().within("writing " + config_.directory);
  *manifest.add_files() = std::move(*file);
  manifest.set_format_version(kManifestFormat);
  manifest.set_job(config_.job.value);
  manifest.set_key_partition(config_.key_partition.value);
  manifest.set_schema_hash(schema_hash(*config_.schemas));
  *manifest.mutable_head() = to_proto(increment.head);
  manifest.set_taken_at_us(increment.taken_at_us);
  if (Status committed = files_.commit(manifest); !committed) return committed;
  hold(std::move(manifest));
  return {};
}

// A file that fails half way is removed; its name is in no manifest.
Result<proto::StateFile> PartitionDiskImpl::write_file(const Increment& increment, Form form,
                                                       uint64_t from_version) {
  const Stamp stamp = increment.head.stamp();
  proto::StateFile file;
  file.set_name(form == Form::kBase     ? base_file_name(stamp)
                : form == Form::kSorted ? rows_file_name(stamp, from_version)
                                        : log_file_name(stamp, from_version));
  file.set_base(form == Form::kBase);
  file.set_from_version(from_version);
  file.set_to_version(stamp.version);
  file.set_epoch(stamp.epoch.value);
  // The state held may have a file of that name, if it is damaged and written anew at its stamp.
  static_cast<void>(files_.env()->DeleteFile(files_.path(file.name())).ok());
  Status done = form == Form::kLog ? write_log(increment, &file) : write_sst(increment, &file);
  if (done) return file;
  static_cast<void>(files_.env()->DeleteFile(files_.path(file.name())).ok());
  return done.error();
}

Status PartitionDiskImpl::write_log(const Increment& increment, proto::StateFile* file) {
  std::vector<RowBlockView> blocks;
  uint64_t rows = 0;
  for (const StateChange& change : increment.changes) {
    blocks.clear();
    if (Status parsed = parse_blocks(change.bytes, *config_.schemas, &blocks); !parsed) {
      return parsed;
    }
    for (const RowBlockView& block : blocks) rows += block.rows();
  }
  auto written =
      write_log_file(files_.env(), files_.path(file->name()), increment.head, increment.changes);
  if (!written) return written.error();
  file->set_rows(rows);
  file->set_bytes(written->bytes);
  file->set_checksum(written->checksum);
  return {};
}

Status PartitionDiskImpl::write_sst(const Increment& increment, proto::StateFile* file) {
  auto changes = open_logs(increment.whole ? Files() : files_of_form(true), increment.changes);
  if (!changes) return changes.error();
  SstFileOut out(files_.env(), files_.path(file->name()),
                 std::to_string(config_.job.value) + "/" +
                     std::to_string(config_.key_partition.value) + "/" + file->name());
  Status done = out.open();
  if (done) done = out.add(kHeadKey, to_proto(increment.head).SerializeAsString(), true);
  if (done && !file->base()) done = write_rows(changes->get(), &out, file);
  if (done && file->base()) {
    Parts parts;
    if (!increment.whole) done = open_files(files_of_form(false), &parts);
    parts.push_back(std::move(*changes));
    if (done) done = write_base(increment.head.horizon, std::move(parts), &out, file);
  }
  if (!done) return done;
  auto written = out.finish();
  if (!written) return written.error();
  file->set_bytes(written->bytes);
  file->set_checksum(written->checksum);
  return {};
}

Status PartitionDiskImpl::write_rows(ChangeCursor* changes, SstFileOut* out,
                                     proto::StateFile* file) {
  uint64_t keys = 0;
  uint64_t rows = 0;
  for (; changes->valid(); changes->next()) {
    Status added = out->add(changes->key(), changes->value(), changes->replaces());
    if (!added) return added;
    ++keys;
    rows += changes->rows();
  }
  file->set_keys(keys);
  file->set_rows(rows);
  return {};
}

Status PartitionDiskImpl::write_base(TimeUs horizon, Parts parts, SstFileOut* out,
                                     proto::StateFile* file) {
  uint64_t keys = 0;
  uint64_t rows = 0;
  StateMerge merge({}, std::move(parts));
  PartWriter value;
  for (;;) {
    auto more = merge.next();
    if (!more) return more.error();
    if (!*more) break;
    StateKeyView key;
    if (!decode_state_key(merge.key(), &key)) return corrupt_error("a state holds no such key");
    auto left = values_->merge(key.table, horizon, merge.values());
    if (!left) return left.error();
    if (!*left) continue;
    ByteWriter* const body = value.begin();
    const size_t begin = body->size();
    values_->append_body(body);
    ++keys;
    rows += image_rows(std::span(body->bytes()).subspan(begin));
    const Status added = out->add(merge.key(), value.finish(PartKind::kImage), true);
    if (!added) return added;
  }
  file->set_keys(keys);
  file->set_rows(rows);
  return {};
}

PartitionDiskImpl::Files PartitionDiskImpl::files_of_form(bool log) const {
  Files out;
  if (!manifest_) return out;
  for (const proto::StateFile& file : manifest_->files()) {
    if (is_log(file) == log) out.push_back(&file);
  }
  return out;
}

// The changes of logs by key, and those that are behind them.
Result<std::unique_ptr<ChangeCursor>> PartitionDiskImpl::open_logs(
    const Files& logs, std::span<const StateChange> behind) const {
  std::vector<StateChange> changes;
  for (const proto::StateFile* file : logs) {
    auto log = read_log_file(*config_.disk, files_.path(file->name()), *file);
    if (!log) return log.error();
    std::move(log->changes.begin(), log->changes.end(), std::back_inserter(changes));
  }
  changes.insert(changes.end(), behind.begin(), behind.end());
  return ChangeCursor::open(config_.schemas, std::move(changes));
}

// Logs are behind all others: they make one part together.
Status PartitionDiskImpl::open_files(const Files& files, Parts* parts) const {
  Files logs;
  for (const proto::StateFile* file : files) {
    if (is_log(*file)) {
      logs.push_back(file);
      continue;
    }
    auto part = SstFileIn::open(files_.env(), files_.path(file->name()));
    if (!part) return part.error();
    parts->push_back(std::move(*part));
  }
  if (logs.empty()) return {};
  auto part = open_logs(logs, {});
  if (!part) return part.error();
  parts->push_back(std::move(*part));
  return {};
}

// The manifest is durable: from now on it is the state. Nothing below can fail any more.
void PartitionDiskImpl::hold(proto::StateManifest manifest) {
  const bool continues = manifest_ && manifest.files_size() == manifest_->files_size() + 1 &&
                         manifest_->files(0).name() == manifest.files(0).name();
  if (key_reader_ != nullptr) {
    const std::string newest = files_.path(manifest.files().rbegin()->name());
    if (!continues || is_log_file_name(newest) || !key_reader_->ingest({newest}))
      key_reader_.reset();
  }
  const Stamp stamp = stamp_of(manifest);
  if (manifest_ && stamp_of(*manifest_) != stamp) previous_ = std::move(manifest_);
  manifest_ = std::move(manifest);
  // A manifest that is newer by its name would count instead when the directory is opened again.
  if (previous_ && manifest_file_name(stamp_of(*previous_)) > manifest_file_name(stamp)) {
    previous_.reset();
  }
  forget_unused();
}

Status PartitionDiskImpl::remove_unused() {
  std::vector<const proto::StateManifest*> held;
  if (manifest_) held.push_back(&*manifest_);
  if (previous_) held.push_back(&*previous_);
  return files_.remove_unused(held, key_reader_ == nullptr ? std::string() : links_name_);
}

// What cannot be removed now is tried again after the next write.
void PartitionDiskImpl::forget_unused() {
  if (Status removed = remove_unused(); !removed) {
    log_event(LogLevel::kWarning, "state_files_not_removed",
              {{"directory", config_.directory}, {"reason", removed.error().message()}});
  }
}

Status PartitionDiskImpl::adopt(const proto::StateManifest& manifest) {
  proto::StateManifest ours = manifest;
  ours.set_job(config_.job.value);
  if (Status good = files_.verify(ours); !good) {
    return good.error().within("taking over the state of key partition " +
                               std::to_string(config_.key_partition.value));
  }
  if (Status committed = files_.commit(ours); !committed) return committed;
  hold(std::move(ours));
  return {};
}

bool PartitionDiskImpl::has(const proto::StateFile& file) const {
  return is_state_file_name(file.name()) &&
         verify_file(*config_.disk, files_.path(file.name()), file).ok();
}

Status PartitionDiskImpl::note_objects(const std::vector<proto::StateFile>& files) {
  if (!manifest_) return {};
  proto::StateManifest noted = *manifest_;
  for (proto::StateFile& file : *noted.mutable_files()) {
    const auto known = std::find_if(files.begin(), files.end(), [&](const auto& other) {
      return other.name() == file.name() && other.checksum() == file.checksum();
    });
    if (known != files.end()) file.set_object(known->object());
  }
  if (Status committed = files_.commit(noted); !committed) return committed;
  manifest_ = std::move(noted);
  return {};
}

// Files of all that is held, sorted by key. Logs are sorted into one, which is not the state's.
Result<std::vector<std::string>> PartitionDiskImpl::sorted_files() {
  std::vector<std::string> out;
  for (const proto::StateFile* file : files_of_form(false))
    out.push_back(files_.path(file->name()));
  const Files logs = files_of_form(true);
  if (logs.empty()) return out;
  out.push_back(files_.path(kSortedLogs));
  auto cursor = open_logs(logs, {});
  if (!cursor) return cursor.error();
  SstFileOut sorted(files_.env(), out.back(), out.back());
  Status done = sorted.open();
  if (done) done = sorted.add(kHeadKey, manifest_->head().SerializeAsString(), true);
  proto::StateFile counts;
  if (done) done = write_rows(cursor->get(), &sorted, &counts);
  if (!done) return done.error();
  auto written = sorted.finish();
  if (!written) return written.error();
  return out;
}

// The reader has links to the files.
Status PartitionDiskImpl::open_reader() {
  if (key_reader_ != nullptr) return {};
  auto files = sorted_files();
  if (!files) return files.error();
  const std::string name = "links-" + std::to_string(readers_opened_++);
  auto reader = KeyReader::open(files_.disk(), config_.readers, files_.path(name), *files);
  static_cast<void>(files_.env()->DeleteFile(files_.path(kSortedLogs)).ok());
  if (!reader) return reader.error();
  auto head = (*reader)->get({std::string(kHeadKey)});
  if (!head) return head.error();
  proto::StateHead stored;
  if (head->front().empty() || !stored.ParseFromString(head->front().front()) ||
      from_proto(stored) != from_proto(manifest_->head())) {
    return corrupt_error("the head in " + files_.path(name) + " is not that of the manifest");
  }
  key_reader_ = std::move(*reader);
  links_name_ = name;
  return {};
}

Result<std::vector<std::vector<uint8_t>>> PartitionDiskImpl::get(std::span<const StateKey> keys) {
  std::vector<std::vector<uint8_t>> images(keys.size());
  if (!manifest_ || keys.empty()) return images;
  if (Status opened = open_reader(); !opened) return opened.error();
  std::vector<std::string> names(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    encode_state_key({keys[i].table, keys[i].hash, keys[i].key}, &names[i]);
  }
  auto found = key_reader_->get(names);
  if (!found) return found.error();
  const TimeUs horizon = manifest_->head().horizon_us();
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::vector<std::string> values = std::move((*found)[i]);  // freed when it is merged
    if (values.empty()) continue;
    const std::vector<std::string_view> oldest_first(values.rbegin(), values.rend());
    ByteWriter image;
    const Status put = put_image({keys[i].table, keys[i].hash, keys[i].key}, horizon, oldest_first,
                                 false, values_.get(), &image);
    if (!put) return put.error();
    images[i] = image.take();
  }
  return images;
}

// How many of the files, from the first, hold nothing that came after a version of this state's
// history. One that ends elsewhere, as those of a former owner's last changes do, tells nothing.
int PartitionDiskImpl::files_up_to(uint64_t version) const {
  const Ancestry ancestry = from_proto(manifest_->head()).ancestry;
  int count = 0;
  for (int i = 0; i < manifest_->files_size(); ++i) {
    const proto::StateFile& file = manifest_->files(i);
    const Stamp end{Epoch(file.epoch()), file.to_version()};
    if (end.version <= version && lies_in(ancestry, end)) count = i + 1;
  }
  return count;
}

Result<std::unique_ptr<StateScan>> PartitionDiskImpl::scan(std::optional<uint64_t> since) {
  Parts older;
  Parts parts;
  StateHead head;
  bool whole = !since.has_value();
  if (manifest_) {
    head = from_proto(manifest_->head());
    const int older_files = whole ? 0 : files_up_to(*since);
    whole = whole || (older_files == 0 && manifest_->files(0).base());
    Files before;
    Files after;
    for (const proto::StateFile& file : manifest_->files()) {
      (static_cast<int>(before.size()) < older_files ? before : after).push_back(&file);
    }
    Status opened = open_files(before, &older);
    if (opened) opened = open_files(after, &parts);
    if (!opened) return opened.error();
  }
  return std::unique_ptr<StateScan>(std::make_unique<FilesScan>(
      config_.schemas, std::move(head), whole, StateMerge(std::move(older), std::move(parts))));
}

}  // namespace

Result<std::unique_ptr<PartitionDisk>> PartitionDisk::open(PartitionDiskConfig config) {
  auto disk = std::make_unique<PartitionDiskImpl>(std::move(config));
  if (Status loaded = disk->load(); !loaded) return loaded.error();
  return std::unique_ptr<PartitionDisk>(std::move(disk));
}

}  // namespace tidemill
