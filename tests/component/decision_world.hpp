// What the component tests of auth and routing share: a bus, a database, and changes of the configuration as admin_api makes them: the row
// and its line in config_changes in one transaction. One thread. It owns the servers.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/testkit/service_process.hpp"
#include "libs/testkit/settings.hpp"
#include "libs/testkit/temp_dir.hpp"

namespace tollgate::component {

class DecisionWorld {
 public:
  DecisionWorld() {
    testkit::writeFile(secrets_.file("mysql"), maria_.password());
    connection_ = bus::Connection::open(testkit::settingsOf(nats_), bus::ConnectionKind::kRequests).value();
    client_ = std::make_unique<bus::RpcClient>(
        *connection_, [](std::function<void()> task) { task(); }, bus::RpcClient::Options{});
  }

  [[nodiscard]] testkit::ServiceProcess::Options service(const std::string& name) const {
    testkit::ServiceProcess::Options options;
    options.path = std::string(TOLLGATE_BIN_DIR) + "/tollgate-" + name;
    options.environment = {{"TOLLGATE_NATS_URL", nats_.url()},
                           {"TOLLGATE_MYSQL_HOST", maria_.host()},
                           {"TOLLGATE_MYSQL_PORT", std::to_string(maria_.port())},
                           {"TOLLGATE_MYSQL_USER", maria_.user()},
                           {"TOLLGATE_MYSQL_PASSWORD_FILE", secrets_.file("mysql")},
                           {"TOLLGATE_MYSQL_DATABASE", maria_.database()},
                           {"TOLLGATE_MYSQL_TIMEOUT", "2s"}};
    return options;
  }

  // Runs `statements` and writes the line of the change, in one transaction. No event is published: the service must find the change by
  // polling.
  void saveWithoutEvent(std::string_view entity, std::int64_t id, const std::string& statements, std::string_view action = "saved") {
    maria_.runSql("BEGIN; UPDATE config_state SET version = version + 1 WHERE id = 1; " + statements +
                  "; INSERT INTO config_changes (version, entity, entity_id, action, author, at) SELECT version, '" + std::string(entity) +
                  "', " + std::to_string(id) + ", '" + std::string(action) +
                  "', 'test', UTC_TIMESTAMP(6) FROM config_state WHERE id = 1; COMMIT;");
  }
  void save(std::string_view entity, std::int64_t id, const std::string& statements, std::string_view action = "saved") {
    saveWithoutEvent(entity, id, statements, action);
    publishChange(entity);
  }
  void publishChange(std::string_view entity) {
    (void)connection_->publish(bus::subjects::configChanged(entity), "");  // when the bus is down, the services find the change by polling
  }

  void saveCustomer(std::int64_t id, const std::string& status = "active") {
    save("customer", id,
         "INSERT INTO customers (id, name, country, billing_type, status, created_at, updated_at) VALUES (" + std::to_string(id) +
             ", 'Customer " + std::to_string(id) + "', 'AM', 'prepaid', '" + status +
             "', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE status = VALUES(status)");
  }

  [[nodiscard]] std::uint64_t version() { return std::stoull(maria_.runSql("SELECT version FROM config_state")); }

  template <class Def>
  [[nodiscard]] base::Result<typename Def::Reply> ask(const typename Def::Request& request) {
    return client_->template wait<Def>("", request, std::chrono::seconds(2));
  }

  [[nodiscard]] testkit::NatsServer& nats() { return nats_; }
  [[nodiscard]] testkit::MariaDb& maria() { return maria_; }

 private:
  // Owned.
  testkit::TempDir secrets_;
  testkit::NatsServer nats_;
  testkit::MariaDb maria_;
  std::unique_ptr<bus::Connection> connection_;
  std::unique_ptr<bus::RpcClient> client_;
};

// How long a change may take to be in force on every replica (REQUIREMENTS 3.8).
inline constexpr std::chrono::milliseconds kInForce{1000};

}  // namespace tollgate::component
