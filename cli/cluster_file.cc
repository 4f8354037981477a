#include "cli/cluster_file.h"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace tidemill::cli {

using nlohmann::json;

std::string ClusterFile::to_json() const {
  nlohmann::ordered_json out;
  out["pid"] = supervisor.pid;
  out["start_time"] = supervisor.start_time;
  out["coordinator"] = coordinator;
  out["store"] = store;
  out["processes"] = nlohmann::ordered_json::array();
  for (const ClusterProcess& process : processes) {
    nlohmann::ordered_json entry;
    entry["name"] = process.name;
    entry["pid"] = process.id.pid;
    entry["start_time"] = process.id.start_time;
    entry["endpoint"] = process.endpoint;
    entry["http"] = process.http;
    entry["log"] = process.log;
    out["processes"].push_back(std::move(entry));
  }
  return out.dump(2) + "\n";
}

Result<ClusterFile> ClusterFile::load(const std::string& dir) {
  const std::string path = path_in(dir);
  std::ifstream in(path);
  if (!in) return user_error("there is no " + path);
  std::stringstream text;
  text << in.rdbuf();
  try {
    const json read = json::parse(text.str());
    ClusterFile out;
    out.supervisor = {read.at("pid").get<int>(), read.at("start_time").get<uint64_t>()};
    out.coordinator = read.at("coordinator").get<std::string>();
    out.store = read.at("store").get<std::string>();
    for (const json& entry : read.at("processes")) {
      ClusterProcess process;
      process.name = entry.at("name").get<std::string>();
      process.id = {entry.at("pid").get<int>(), entry.at("start_time").get<uint64_t>()};
      process.endpoint = entry.at("endpoint").get<std::string>();
      process.http = entry.at("http").get<std::string>();
      process.log = entry.at("log").get<std::string>();
      out.processes.push_back(std::move(process));
    }
    return out;
  } catch (const json::exception& e) {
    return user_error(path + " is not a cluster file of `tidemill up`: " + e.what());
  }
}

Status ClusterFile::save(const std::string& dir) const {
  const std::string path = path_in(dir);
  const std::string beside = path + ".new";
  {
    std::ofstream out(beside, std::ios::trunc);
    out << to_json();
    if (!out.flush()) return fatal_error("cannot write " + beside);
  }
  if (std::rename(beside.c_str(), path.c_str()) != 0) return fatal_error("cannot write " + path);
  return {};
}

void ClusterFile::remove(const std::string& dir) { std::remove(path_in(dir).c_str()); }

}  // namespace tidemill::cli
