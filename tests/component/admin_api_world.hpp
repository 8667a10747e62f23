// The admin_api binary with real MariaDB and NATS; billing, auth, routing and ingress answer as the test says. One set of servers per test
// program; every test makes its own customers, so tests do not meet. Test thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "libs/bus/connection.hpp"
#include "libs/bus/control.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/sql/sql.hpp"
#include "libs/testkit/http.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/service_process.hpp"
#include "tollgate/auth/v1/auth.rpc.h"
#include "tollgate/billing/v1/billing.rpc.h"
#include "tollgate/control/v1/control.rpc.h"
#include "tollgate/routing/v1/routing.rpc.h"

namespace tollgate::admin_api {

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;
  nlohmann::json body;

  [[nodiscard]] std::string field() const { return body.value("field", ""); }
  [[nodiscard]] std::string rule() const { return body.value("rule", ""); }
  [[nodiscard]] std::string detail() const { return body.value("detail", ""); }
  [[nodiscard]] std::int64_t id() const { return body.value("id", std::int64_t{0}); }
};

// "422 sources[0].network 2.3": what a refusal says, in one line. "201" when it is none.
[[nodiscard]] std::string outcomeOf(const Answer& answer);

// The other services, as far as admin_api asks them.
class Neighbours {
 public:
  explicit Neighbours(const testkit::NatsServer& nats);

  // What the next answers are; set by tests.
  std::mutex mutex;
  std::map<std::int64_t, billing::v1::TrunkLoad> loads;
  auth::v1::AuthorizeReply authorize;
  routing::v1::RouteReply route;
  billing::v1::ReserveReply reserve;
  std::optional<base::Error> payment_error;  // instead of posting
  bool payment_not_posted = false;
  bool payment_unanswered = false;  // posted, but the answer is lost
  std::vector<control::v1::LiveCall> calls;
  std::size_t calls_per_piece = 100;  // the ingress reports its calls in pieces of this many
  bool loses_last_piece = false;
  // What they were asked.
  std::vector<billing::v1::PostPaymentRequest> payments;
  std::set<std::int64_t> replayed;   // ids of dead letters
  std::vector<std::string> hung_up;  // "<call id> <author>"
  std::atomic<int> config_events{0};

 private:
  void serveRpcs();
  void serveControl();
  [[nodiscard]] base::Result<billing::v1::PostPaymentReply> post(const billing::v1::PostPaymentRequest& request);

  std::unique_ptr<bus::Connection> connection_;
  std::unique_ptr<bus::RpcServer> server_;
  std::vector<bus::Subscription> subscriptions_;
  std::vector<bus::Responder<billing::v1::PostPaymentReply>> unanswered_;
  std::map<std::string, std::int64_t> balances_;
  std::map<std::string, std::int64_t> movements_;  // amounts by transfer id
};

class AdminApi : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();

  using Headers = std::map<std::string, std::string>;
  static Answer call(const std::string& method, const std::string& path, const nlohmann::json& body = nullptr, Headers headers = {});
  static Answer raw(const std::string& method, const std::string& path, const Headers& headers, const std::string& body);
  static Answer get(const std::string& path) { return call("GET", path); }

  // Ids of new entities; the test fails when one is refused.
  static std::int64_t make(const std::string& path, const nlohmann::json& body);
  static std::int64_t customer(nlohmann::json changes = nlohmann::json::object());
  static std::int64_t trunk(std::int64_t customer_id, nlohmann::json changes = nlohmann::json::object());
  static std::int64_t carrier(std::int64_t customer_id, nlohmann::json changes = nlohmann::json::object());
  static std::int64_t rule(const std::string& code, nlohmann::json targets = nlohmann::json::array());
  static std::int64_t plan(const std::string& scope = "customer", const std::string& currency = "USD");
  static nlohmann::json trunkBody(std::int64_t customer_id, const nlohmann::json& changes);
  static std::string freshNetwork();  // a host no trunk has

  static sql::Rows query(const std::string& statement, const std::vector<sql::Value>& parameters = {});
  static void execute(const std::string& statement, const std::vector<sql::Value>& parameters = {});
  static std::int64_t version();
  // A CDR of the trunk, priced with the rate; its call id.
  static std::string cdr(std::int64_t customer_id, std::int64_t trunk_id, const nlohmann::json& changes = nlohmann::json::object());

  static Neighbours& neighbours();
  static std::uint16_t port();
  static testkit::ServiceProcess& process();
  static void stopMySql();
  static void startMySql();

 private:
  struct World;
  static std::unique_ptr<World> world_;
};

}  // namespace tollgate::admin_api
