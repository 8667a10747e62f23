#include "services/routing/service.hpp"

#include <array>

#include "libs/base/reason.hpp"
#include "services/routing/wire.hpp"

namespace tollgate::routing {

// Made once at the start: looking a metric up costs more than the decision.
struct RoutingService::Metrics {
  explicit Metrics(telemetry::Metrics& metrics)
      : version(metrics.gauge("tollgate_routing_snapshot_version", "configuration version of the snapshot that answers")),
        customers(metrics.gauge("tollgate_routing_customers_count", "customers in the snapshot")),
        trunks(metrics.gauge("tollgate_routing_trunks_count", "trunks in the snapshot")),
        rules(metrics.gauge("tollgate_routing_rules_count", "routing rules in the snapshot")),
        dialpeers(metrics.gauge("tollgate_routing_dialpeers_count", "dialpeers in the snapshot")),
        publish(metrics.gauge("tollgate_routing_snapshot_publish_seconds", "time the last snapshot took to publish")),
        rows_refused(metrics.counter("tollgate_routing_rows_refused_total", "rows read from MySQL that break a rule and were passed over")),
        unready(metrics.counter("tollgate_routing_unready_total", "requests that came before the first load")) {
    for (const auto& row : base::reasonTable()) {
      const std::string result(row.reason == base::Reason::kUnspecified ? "routed" : row.word);
      requests[static_cast<std::size_t>(row.reason)] =
          &metrics.counter("tollgate_routing_requests_total", "route requests by result, tests included", {{"result", result}});
    }
  }

  void count(const Answer& answer) {
    const auto reason = answer.refusal ? answer.refusal->reason : base::Reason::kUnspecified;
    requests[static_cast<std::size_t>(reason)]->add();
  }

  void show(const Snapshot& snapshot, const TableSizes& sizes) {
    version.set(static_cast<double>(snapshot.version));
    customers.set(static_cast<double>(sizes.customers));
    trunks.set(static_cast<double>(sizes.trunks));
    rules.set(static_cast<double>(sizes.rules));
    dialpeers.set(static_cast<double>(sizes.dialpeers));
    publish.set(std::chrono::duration<double>(sizes.publish_time).count());
    rows_refused.add(static_cast<double>(sizes.rows_refused - rows_refused_shown));
    rows_refused_shown = sizes.rows_refused;
  }

  telemetry::Gauge& version;
  telemetry::Gauge& customers;
  telemetry::Gauge& trunks;
  telemetry::Gauge& rules;
  telemetry::Gauge& dialpeers;
  telemetry::Gauge& publish;
  telemetry::Counter& rows_refused;
  telemetry::Counter& unready;
  std::array<telemetry::Counter*, 256> requests{};
  std::size_t rows_refused_shown = 0;
};

RoutingService::RoutingService(Settings settings) : settings_(std::move(settings)) {}

RoutingService::~RoutingService() {
  stop();
}

base::Result<void> RoutingService::start(service::Runtime& runtime) {
  metrics_ = std::make_unique<Metrics>(runtime.metrics);
  tables_.onPublished([this](const Snapshot& snapshot, const TableSizes& sizes) { metrics_->show(snapshot, sizes); });
  pool_ = std::make_unique<sql::Pool>(settings_.sql);
  TG_TRY_ASSIGN(connection, bus::Connection::open(settings_.bus, bus::ConnectionKind::kRequests));
  connection_ = std::move(connection);
  feed_ = std::make_unique<feed::Feed>(*pool_, *connection_, tables_, settings_.feed_poll);
  TG_TRY(feed_->start());
  server_ = std::make_unique<bus::RpcServer>(*connection_, "routing");
  return server_->serve<bus::Route>([this](const bus::RpcContext&, const routing::v1::RouteRequest& request,
                                           bus::Responder<routing::v1::RouteReply> responder) { answer(request, std::move(responder)); });
}

void RoutingService::answer(const routing::v1::RouteRequest& request, bus::Responder<routing::v1::RouteReply> responder) {
  const auto snapshot = tables_.current();
  if (snapshot == nullptr) {
    metrics_->unready.add();
    responder.fail({base::ErrorCode::kUnavailable, "the tables are not loaded yet"});
    return;
  }
  const Answer found = route(*snapshot, toQuestion(request));
  metrics_->count(found);
  responder.reply(toReply(found));
}

service::Readiness RoutingService::ready() const {
  if (connection_ == nullptr || !connection_->isConnected()) {
    return {false, "not connected to the bus"};
  }
  if (tables_.current() == nullptr) {
    return {false, "tables not loaded yet"};
  }
  return {true, ""};
}

void RoutingService::stop() {
  server_.reset();
  feed_.reset();
}

}  // namespace tollgate::routing
