#include "services/ingress/records/announcer.hpp"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include "libs/bus/subjects.hpp"

namespace tollgate::ingress {
namespace {

constexpr std::chrono::seconds kEvery{2};
constexpr const char* kNameFile = "instance";

}  // namespace

base::Result<std::string> takeOverSpool(const std::string& directory, const std::string& instance) {
  const std::filesystem::path path = std::filesystem::path(directory) / kNameFile;
  std::string before;
  if (std::ifstream file(path); file) {
    std::getline(file, before);
  }
  const std::filesystem::path next = path.string() + ".new";
  {
    std::ofstream file(next, std::ios::trunc);
    file << instance << '\n';
    file.flush();
    if (!file) {
      return base::fail(base::ErrorCode::kInternal, "cannot write " + next.string());
    }
  }
  std::error_code error;
  std::filesystem::rename(next, path, error);  // a kill leaves the old name or the new one
  if (error) {
    return base::fail(base::ErrorCode::kInternal, "cannot write " + path.string() + ": " + error.message());
  }
  return before;
}

Announcer::Announcer(bus::Connection& connection, std::string instance, std::string replaces, Fill fill)
    : connection_(connection), instance_(std::move(instance)), replaces_(std::move(replaces)), fill_(std::move(fill)) {}

void Announcer::start() {
  worker_.start("announcer", [this] {
    do {
      announce(false);
    } while (worker_.pauseFor(kEvery));
  });
}

void Announcer::stop(bool for_good) {
  if (worker_.isStopping()) {
    return;
  }
  worker_.stop();
  if (for_good) {
    announce(true);
  }
}

void Announcer::announce(bool stopped) {
  control::v1::InstanceAlive message;
  fill_(message);
  message.set_instance(instance_);
  message.set_replaces(replaces_);
  message.set_stopped(stopped);
  // Not sent while the bus is away: billing hears nothing then, and counts silence anew afterwards.
  static_cast<void>(connection_.publish(bus::subjects::instanceAlive(instance_), message.SerializeAsString()));
}

}  // namespace tollgate::ingress
