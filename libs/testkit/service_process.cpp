#include "libs/testkit/service_process.hpp"

#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <utility>

#include "libs/testkit/wait.hpp"

namespace tollgate::testkit {

ServiceProcess::ServiceProcess(Options options) : options_(std::move(options)) {
  start();
}

void ServiceProcess::start() {
  Child::Options child;
  child.command = {options_.path};
  child.command.insert(child.command.end(), options_.arguments.begin(), options_.arguments.end());
  child.environment = options_.environment;
  child.environment["TOLLGATE_OPS_ADDRESS"] = "127.0.0.1";
  child.environment["TOLLGATE_OPS_PORT"] = std::to_string(opsPort());
  child.output_file = folder_.file("log");
  child_.reset();
  auto started = Child::start(child);
  if (!started) {
    throw std::runtime_error(started.error().message);
  }
  child_ = std::move(*started);
  if (!options_.wait_ready) {
    return;
  }
  (void)waitUntil([this] { return isReady() || !isRunning(); }, options_.ready_limit);
  if (!isReady()) {
    const auto answer = get("/readyz");
    throw std::runtime_error(options_.path +
                             (isRunning() ? " is not ready: " + (answer ? answer->body : answer.error().message) : " ended") + "\n" +
                             fileTail(folder_.file("log")));
  }
}

bool ServiceProcess::isReady() {
  const auto answer = isRunning() ? httpGet(opsPort(), "/readyz", std::chrono::seconds(1))
                                  : base::Result<HttpReply>(base::fail(base::ErrorCode::kUnavailable, "ended"));
  return answer && answer->status == 200;
}

std::optional<double> ServiceProcess::metric(const std::string& series) {
  const auto answer = get("/metrics");
  if (!answer) {
    return std::nullopt;
  }
  const std::string text = "\n" + answer->body;
  const auto at = text.find("\n" + series + " ");
  if (at == std::string::npos) {
    return std::nullopt;
  }
  return std::strtod(text.c_str() + at + series.size() + 2, nullptr);
}

std::string ServiceProcess::log() const {
  return fileTail(folder_.file("log"), std::numeric_limits<std::size_t>::max());
}

int ServiceProcess::stop(std::chrono::milliseconds limit) {
  if (!child_) {
    return 0;
  }
  const int code = child_->terminate(limit);
  child_.reset();
  return code;
}

void ServiceProcess::kill() {
  child_.reset();
}

}  // namespace tollgate::testkit
