#include "tests/simulation/sim_files.h"

#include <algorithm>

#include "shared/base/assert.h"

namespace tidemill::test {
namespace {

SimNodePtr make_node(bool directory) {
  auto node = std::make_shared<SimNode>();
  node->directory = directory;
  return node;
}

// The next name of a path, which is taken off it; empty at its end.
std::string_view next_name(std::string_view* path) {
  while (path->starts_with('/')) path->remove_prefix(1);
  const std::string_view name = path->substr(0, path->find('/'));
  path->remove_prefix(name.size());
  return name;
}

void set_name(std::map<std::string, SimNodePtr>* names, const SimNode::Change& change) {
  if (!change.gone.empty()) names->erase(change.gone);
  if (change.node == nullptr) {
    names->erase(change.name);
  } else {
    (*names)[change.name] = change.node;
  }
}

void change_names(SimNode* directory, SimNode::Change change) {
  const auto count = [&](const std::string& name, int by) {
    const auto entry = directory->entries.find(name);
    if (entry != directory->entries.end()) entry->second->names += by;
  };
  if (!change.gone.empty()) count(change.gone, -1);
  count(change.name, -1);
  set_name(&directory->entries, change);
  count(change.name, 1);
  directory->changes.push_back(std::move(change));
}

// What is below `synced` is about to change.
void keep_before(SimNode* file) {
  if (!file->before) file->before = file->bytes.substr(0, file->synced);
}

// A file as it is after the loss; the same if it loses nothing.
SimNodePtr after_loss(const SimNodePtr& file, Random* random, SimLosses* losses) {
  if (!file->before && file->synced == file->bytes.size()) return file;
  auto left = make_node(false);
  left->bytes = file->before ? *file->before : file->bytes.substr(0, file->synced);
  // Some of what was appended may have got through, and its last bytes be anything.
  if (!file->before && random->chance(0.6)) {
    const size_t unsynced = file->bytes.size() - file->synced;
    const size_t kept = random->below(unsynced + 1);
    left->bytes.append(file->bytes, file->synced, kept);
    size_t garbage = random->chance(0.3) ? random->below(std::min<size_t>(kept, 64) + 1) : 0;
    for (; garbage > 0; --garbage) {
      left->bytes[left->bytes.size() - garbage] = static_cast<char>(random->next());
    }
  }
  if (left->bytes == file->bytes) {
    file->sync_failed = false;
    file->synced = file->bytes.size();
    file->before.reset();
    return file;
  }
  ++losses->files;
  if (left->bytes.size() > file->synced) ++losses->torn;
  left->synced = left->bytes.size();
  return left;
}

class PowerLoss {
 public:
  PowerLoss(Random* random, SimLosses* losses) : random_(random), losses_(losses) {}

  void strike(SimNode* directory) {
    const size_t kept = random_->chance(0.3) ? 0 : random_->below(directory->changes.size() + 1);
    losses_->changes += directory->changes.size() - kept;
    for (size_t i = 0; i < kept; ++i) set_name(&directory->durable, directory->changes[i]);
    directory->changes.clear();
    for (auto& [name, node] : directory->durable) node = survivor(node);
    directory->entries = directory->durable;
    for (auto& [name, node] : directory->entries) {
      ++node->names;
      if (node->directory) strike(node.get());
    }
  }

 private:
  // One file may have several names.
  SimNodePtr survivor(const SimNodePtr& node) {
    const auto [at, fresh] = survivors_.try_emplace(node.get());
    if (fresh) {
      at->second = node->directory ? node : after_loss(node, random_, losses_);
      at->second->names = 0;
    }
    return at->second;
  }

  Random* random_;
  SimLosses* losses_;
  std::map<const SimNode*, SimNodePtr> survivors_;
};

void collect(const std::string& path, const SimNode& directory,
             std::map<std::string, SimNodePtr>* out) {
  for (const auto& [name, node] : directory.entries) {
    const std::string below = path + "/" + name;
    if (node->directory) {
      collect(below, *node, out);
    } else {
      (*out)[below] = node;
    }
  }
}

}  // namespace

SimFiles::SimFiles() : root_(make_node(true)) {}

SimNodePtr SimFiles::find(const std::string& path) const {
  SimNodePtr node = root_;
  std::string_view rest = path;
  for (std::string_view name = next_name(&rest); !name.empty(); name = next_name(&rest)) {
    if (!node->directory) return nullptr;
    const auto entry = node->entries.find(std::string(name));
    if (entry == node->entries.end()) return nullptr;
    node = entry->second;
  }
  return node;
}

SimNode* SimFiles::parent_of(const std::string& path, std::string* name) const {
  std::string_view text = path;
  while (text.ends_with('/')) text.remove_suffix(1);
  const size_t slash = text.rfind('/');
  ASSERT(slash != std::string_view::npos);
  *name = text.substr(slash + 1);
  const SimNodePtr parent = find(path.substr(0, slash));
  return parent != nullptr && parent->directory ? parent.get() : nullptr;
}

SimFileError SimFiles::create(const std::string& path, SimNodePtr* file) {
  std::string name;
  SimNode* parent = parent_of(path, &name);
  if (parent == nullptr) return SimFileError::kNotFound;
  const auto entry = parent->entries.find(name);
  if (entry == parent->entries.end()) {
    *file = make_node(false);
    change_names(parent, {name, *file, ""});
    return SimFileError::kNone;
  }
  if (entry->second->directory) return SimFileError::kIsDirectory;
  *file = entry->second;
  resize(file->get(), 0);
  (*file)->sync_failed = false;
  return SimFileError::kNone;
}

SimFileError SimFiles::make_directory(const std::string& path) {
  std::string name;
  SimNode* parent = parent_of(path, &name);
  if (parent == nullptr) return SimFileError::kNotFound;
  if (parent->entries.contains(name)) return SimFileError::kExists;
  change_names(parent, {name, make_node(true), ""});
  return SimFileError::kNone;
}

SimFileError SimFiles::remove(const std::string& path) {
  std::string name;
  SimNode* parent = parent_of(path, &name);
  if (parent == nullptr || !parent->entries.contains(name)) return SimFileError::kNotFound;
  if (parent->entries[name]->directory) return SimFileError::kIsDirectory;
  change_names(parent, {name, nullptr, ""});
  return SimFileError::kNone;
}

SimFileError SimFiles::remove_directory(const std::string& path) {
  std::string name;
  SimNode* parent = parent_of(path, &name);
  if (parent == nullptr || !parent->entries.contains(name)) return SimFileError::kNotFound;
  if (!parent->entries[name]->directory) return SimFileError::kNotDirectory;
  if (!parent->entries[name]->entries.empty()) return SimFileError::kNotEmpty;
  change_names(parent, {name, nullptr, ""});
  return SimFileError::kNone;
}

SimFileError SimFiles::rename(const std::string& from, const std::string& to) {
  std::string old_name;
  std::string new_name;
  SimNode* source = parent_of(from, &old_name);
  SimNode* target = parent_of(to, &new_name);
  if (source == nullptr || target == nullptr || !source->entries.contains(old_name)) {
    return SimFileError::kNotFound;
  }
  const SimNodePtr node = source->entries[old_name];
  const auto there = target->entries.find(new_name);
  if (there != target->entries.end()) {
    if (there->second == node) return SimFileError::kNone;
    if (there->second->directory && !there->second->entries.empty()) return SimFileError::kNotEmpty;
    if (there->second->directory && !node->directory) return SimFileError::kIsDirectory;
    if (!there->second->directory && node->directory) return SimFileError::kNotDirectory;
  }
  change_names(target, {new_name, node, source == target ? old_name : ""});
  if (source != target) change_names(source, {old_name, nullptr, ""});
  return SimFileError::kNone;
}

SimFileError SimFiles::link(const std::string& from, const std::string& to) {
  const SimNodePtr node = find(from);
  std::string name;
  SimNode* parent = parent_of(to, &name);
  if (node == nullptr || parent == nullptr) return SimFileError::kNotFound;
  if (node->directory) return SimFileError::kIsDirectory;
  if (parent->entries.contains(name)) return SimFileError::kExists;
  change_names(parent, {name, node, ""});
  return SimFileError::kNone;
}

void SimFiles::append(SimNode* file, std::string_view bytes) { file->bytes.append(bytes); }

void SimFiles::write(SimNode* file, size_t offset, std::string_view bytes) {
  if (offset < file->synced) keep_before(file);
  file->bytes.resize(std::max(file->bytes.size(), offset + bytes.size()));
  file->bytes.replace(offset, bytes.size(), bytes);
}

void SimFiles::resize(SimNode* file, size_t size) {
  if (size < file->synced) keep_before(file);
  file->bytes.resize(size);
}

void SimFiles::sync(SimNode* file) {
  if (file->sync_failed) return;
  file->synced = file->bytes.size();
  file->before.reset();
}

void SimFiles::sync_names(SimNode* directory) {
  for (const SimNode::Change& change : directory->changes) set_name(&directory->durable, change);
  directory->changes.clear();
}

SimLosses SimFiles::lose_power(Random* random) {
  SimLosses losses;
  PowerLoss(random, &losses).strike(root_.get());
  return losses;
}

void SimFiles::wipe() { root_ = make_node(true); }

std::map<std::string, SimNodePtr> SimFiles::all() const {
  std::map<std::string, SimNodePtr> out;
  collect("", *root_, &out);
  return out;
}

}  // namespace tidemill::test
