#include "libs/testkit/servers.hpp"

#include <filesystem>
#include <stdexcept>
#include <utility>

#include <signal.h>

#include "libs/testkit/mariadb_template.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::testkit {
namespace {

constexpr int kTries = 5;
constexpr std::chrono::seconds kStartLimit{60};
constexpr std::chrono::seconds kStopLimit{20};

std::string replaced(std::string text, std::string_view what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
  return text;
}

}  // namespace

bool Server::tryStart() {
  log_file_ = folder_.file("log." + std::to_string(++starts_));
  Child::Options options;
  options.command = command();
  options.output_file = log_file_;
  auto started = Child::start(options);
  if (!started) {
    throw std::runtime_error(started.error().message);
  }
  child_ = std::move(*started);
  // The log proves that our server listens; a connection could reach another one.
  const bool settled = waitUntil([this] { return log().find(readyText()) != std::string::npos || !child_->isRunning(); }, kStartLimit);
  return settled && child_->isRunning();
}

void Server::startFirst() {
  for (int i = 0; i < kTries; ++i) {
    if (tryStart()) {
      return;
    }
    port_ = PortLease();
  }
  throw std::runtime_error("the server does not start:\n" + log());
}

void Server::start() {
  if (isRunning()) {
    return;
  }
  for (int i = 0; i < kTries; ++i) {
    if (tryStart()) {
      return;
    }
  }
  throw std::runtime_error("the server does not start again:\n" + log());
}

void Server::stop() {
  if (child_) {
    child_->terminate(kStopLimit);
    child_.reset();
  }
}

void Server::kill() {
  child_.reset();
}

void Server::pause() {
  if (child_) {
    child_->signal(SIGSTOP);
  }
}

void Server::resume() {
  if (child_) {
    child_->signal(SIGCONT);
  }
}

NatsServer::NatsServer(NatsOptions options) : options_(std::move(options)) {
  startFirst();
}

std::string NatsServer::url() const {
  return "nats://127.0.0.1:" + std::to_string(port());
}

void NatsServer::wipe() {
  std::filesystem::remove_all(folder().file("store"));
}

std::vector<std::string> NatsServer::command() {
  std::string config = options_.whole;
  if (config.empty()) {
    config = "listen: 127.0.0.1:@PORT@\nmax_payload: 8MB\n";
    if (options_.jetstream) {
      config += "jetstream { store_dir: \"@STORE@\", max_memory_store: 64MB, max_file_store: 4GB }\n";
    }
  }
  config = replaced(config + options_.extra, "@PORT@", std::to_string(port()));
  const std::string file = folder().file("nats.conf");
  writeFile(file, replaced(config, "@STORE@", folder().file("store")));
  return {"nats-server", "-c", file};
}

RedisServer::RedisServer(RedisOptions options) : options_(std::move(options)) {
  startFirst();
}

std::vector<std::string> RedisServer::command() {
  const std::string file = folder().file("redis.conf");
  writeFile(file, "bind 127.0.0.1\nport " + std::to_string(port()) + "\ndaemonize no\nsave \"\"\nappendonly " +
                      (options_.append_only ? "yes" : "no") + "\ndir " + folder().path().string() + "\n" + options_.extra + "\n");
  return {"redis-server", file};
}

MariaDb::MariaDb(MariaDbOptions options) : options_(std::move(options)) {
  copyMariaDbTemplate(folder().file("data"));
  startFirst();
}

std::vector<std::string> MariaDb::command() {
  auto words = mariaDbCommand(folder().file("data"), folder().file("socket"), port());
  words.insert(words.end(), options_.extra.begin(), options_.extra.end());
  return words;
}

std::string MariaDb::runSql(const std::string& statements) {
  const std::string input = folder().file("statements.sql");
  const std::string output = folder().file("statements.out");
  writeFile(input, statements);
  writeFile(output, "");
  Child::Options options;
  options.command = {"mariadb", "--no-defaults",    "--protocol=tcp",           "--host=127.0.0.1",    "--port=" + std::to_string(port()),
                     "--batch", "--user=" + user(), "--password=" + password(), "--skip-column-names", database()};
  options.input_file = input;
  options.output_file = output;
  const auto code = runToEnd(options, kStartLimit);
  std::string printed = readFile(output);
  if (!code || *code != 0) {
    throw std::runtime_error("SQL failed: " + printed);
  }
  return printed;
}

}  // namespace tollgate::testkit
