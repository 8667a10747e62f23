// The admin_api service: REST over MySQL; payments and questions to other services go over the bus. Stateless: any number of replicas.
// Called on the main thread, except ready(): any thread. Owns every client and the HTTP server.
#pragma once

#include <memory>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/http/server.hpp"
#include "libs/service/service.hpp"
#include "libs/sql/sql.hpp"
#include "services/admin_api/api/access.hpp"
#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/settings.hpp"

namespace tollgate::admin_api {

class AdminService final : public service::Service {
 public:
  explicit AdminService(Settings settings);
  ~AdminService() override;

  [[nodiscard]] base::Result<void> start(service::Runtime& runtime) override;
  [[nodiscard]] service::Readiness ready() const override;
  void stop() override;

  [[nodiscard]] std::uint16_t port() const { return server_->port(); }  // of the API, after start()
  [[nodiscard]] std::vector<std::string> routes() const { return server_->routes(); }

 private:
  // Passed in.
  const Settings settings_;
  // Owned. Constructed in this order and destroyed in the reverse order.
  base::SystemClock clock_;
  std::unique_ptr<sql::Pool> pool_;
  std::unique_ptr<bus::Connection> connection_;
  std::unique_ptr<bus::RpcClient> rpc_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace tollgate::admin_api
