#include "services/admin_api/service.hpp"

#include "services/admin_api/operations/operations.hpp"

namespace tollgate::admin_api {

AdminService::AdminService(Settings settings) : settings_(std::move(settings)) {}

AdminService::~AdminService() {
  stop();
}

base::Result<void> AdminService::start(service::Runtime& runtime) {
  pool_ = std::make_unique<sql::Pool>(settings_.sql, sql::PoolMetrics(runtime.metrics, "admin_api"));
  TG_TRY_ASSIGN(connection,
                bus::Connection::open(settings_.bus, bus::ConnectionKind::kRequests, bus::ExportTo{runtime.metrics, "admin_api"}));
  connection_ = std::move(connection);
  rpc_ = std::make_unique<bus::RpcClient>(
      *connection_, [](const std::function<void()>& completion) { completion(); }, bus::RpcClient::Options{});
  backend_ = std::make_unique<Backend>(Backend{*pool_, *connection_, *rpc_, clock_, settings_.timeouts});
  access_ = std::make_unique<Access>(settings_.admin, settings_.access, clock_);
  server_ = std::make_unique<http::Server>(settings_.api);
  const auto operations = allOperations(*backend_);
  for (const auto& operation : operations) {
    if (operation.is_public) {
      access_->makePublic(operation.pattern);
    }
  }
  auto& refused = runtime.metrics.counter("tollgate_admin_api_access_refused_total", "requests without valid credentials");
  server_->before([this, &refused](http::Request& request) {
    auto refusal = access_->check(request);
    if (refusal) {
      refused.add();
    }
    return refusal;
  });
  mount(operations, *server_, runtime.metrics);
  return server_->start();
}

service::Readiness AdminService::ready() const {
  if (connection_ == nullptr || !connection_->isConnected()) {
    return {false, "not connected to the bus"};
  }
  if (const auto answered = pool_->ping(); !answered) {
    return {false, "MySQL does not answer: " + answered.error().message};
  }
  return {true, ""};
}

void AdminService::stop() {
  if (server_ != nullptr) {
    server_->stop();
  }
}

}  // namespace tollgate::admin_api
