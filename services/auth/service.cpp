#include "services/auth/service.hpp"

#include <array>

#include "libs/base/reason.hpp"
#include "libs/telemetry/log.hpp"
#include "services/auth/wire.hpp"

namespace tollgate::auth {

// Made once at the start: looking a metric up costs more than the decision.
struct AuthService::Metrics {
  explicit Metrics(telemetry::Metrics& metrics)
      : version(metrics.gauge("tollgate_auth_snapshot_version", "configuration version of the snapshot that answers")),
        customers(metrics.gauge("tollgate_auth_customers_count", "customers in the snapshot")),
        trunks(metrics.gauge("tollgate_auth_trunks_count", "trunks in the snapshot")),
        networks(metrics.gauge("tollgate_auth_networks_count", "networks on the list the ingress is given")),
        widened(metrics.gauge("tollgate_auth_networks_widened", "1 when that list was too long and near networks were joined")),
        build(metrics.gauge("tollgate_auth_snapshot_publish_seconds", "time the last snapshot took to publish")),
        rows_refused(metrics.counter("tollgate_auth_rows_refused_total", "rows read from MySQL that break a rule and were passed over")),
        lists(metrics.counter("tollgate_auth_network_lists_total", "lists of networks sent")),
        unready(metrics.counter("tollgate_auth_unready_total", "requests that came before the first load")) {
    for (const auto& row : base::reasonTable()) {
      const std::string result(row.reason == base::Reason::kUnspecified ? "identified" : row.word);
      requests[static_cast<std::size_t>(row.reason)] =
          &metrics.counter("tollgate_auth_requests_total", "authorize requests by result", {{"result", result}});
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
    networks.set(static_cast<double>(snapshot.networks->networks.size()));
    widened.set(snapshot.networks->widened ? 1 : 0);
    build.set(std::chrono::duration<double>(sizes.publish_time).count());
    rows_refused.add(static_cast<double>(sizes.rows_refused - rows_refused_shown));
    rows_refused_shown = sizes.rows_refused;
  }

  telemetry::Gauge& version;
  telemetry::Gauge& customers;
  telemetry::Gauge& trunks;
  telemetry::Gauge& networks;
  telemetry::Gauge& widened;
  telemetry::Gauge& build;
  telemetry::Counter& rows_refused;
  telemetry::Counter& lists;
  telemetry::Counter& unready;
  std::array<telemetry::Counter*, 256> requests{};
  std::size_t rows_refused_shown = 0;
};

AuthService::AuthService(Settings settings) : settings_(std::move(settings)), tables_(settings_.networks_bytes_max) {}

AuthService::~AuthService() {
  stop();
}

base::Result<void> AuthService::start(service::Runtime& runtime) {
  metrics_ = std::make_unique<Metrics>(runtime.metrics);
  tables_.onPublished([this](const Snapshot& snapshot, const TableSizes& sizes) { onPublished(snapshot, sizes); });
  pool_ = std::make_unique<sql::Pool>(settings_.sql);
  TG_TRY_ASSIGN(connection, bus::Connection::open(settings_.bus, bus::ConnectionKind::kRequests));
  connection_ = std::move(connection);
  feed_ = std::make_unique<feed::Feed>(*pool_, *connection_, tables_, settings_.feed_poll);
  TG_TRY(feed_->start());
  return serve();
}

void AuthService::onPublished(const Snapshot& snapshot, const TableSizes& sizes) {
  metrics_->show(snapshot, sizes);
  const auto last = networks_reply_.load();
  if (last != nullptr && last->version() == snapshot.networks->version) {
    return;
  }
  networks_reply_ = std::make_shared<const auth::v1::ListNetworksReply>(toReply(*snapshot.networks));
  if (snapshot.networks->widened) {
    telemetry::warn("list of networks too long, near networks joined",
                    {{"networks", static_cast<std::int64_t>(snapshot.networks->networks.size())}});
  }
}

base::Result<void> AuthService::serve() {
  server_ = std::make_unique<bus::RpcServer>(*connection_, "auth");
  TG_TRY(server_->serve<bus::Authorize>(
      [this](const bus::RpcContext&, const auth::v1::AuthorizeRequest& request, bus::Responder<auth::v1::AuthorizeReply> responder) {
        answer(request, std::move(responder));
      }));
  return server_->serve<bus::ListNetworks>(
      [this](const bus::RpcContext&, const auth::v1::ListNetworksRequest& request, bus::Responder<auth::v1::ListNetworksReply> responder) {
        answer(request, std::move(responder));
      });
}

void AuthService::answer(const auth::v1::AuthorizeRequest& request, bus::Responder<auth::v1::AuthorizeReply> responder) {
  const auto snapshot = tables_.current();
  if (snapshot == nullptr) {
    metrics_->unready.add();
    responder.fail({base::ErrorCode::kUnavailable, "the tables are not loaded yet"});
    return;
  }
  const Question question = toQuestion(request);
  const Answer found = authorize(*snapshot, question);
  metrics_->count(found);
  responder.reply(toReply(question, found));
}

void AuthService::answer(const auth::v1::ListNetworksRequest& request, bus::Responder<auth::v1::ListNetworksReply> responder) {
  const auto whole = networks_reply_.load();
  if (whole == nullptr) {
    metrics_->unready.add();
    responder.fail({base::ErrorCode::kUnavailable, "the tables are not loaded yet"});
    return;
  }
  if (request.known_version() == whole->version()) {
    responder.reply(unchangedReply(whole->version()));
    return;
  }
  metrics_->lists.add();
  responder.reply(*whole);
}

service::Readiness AuthService::ready() const {
  if (connection_ == nullptr || !connection_->isConnected()) {
    return {false, "not connected to the bus"};
  }
  if (tables_.current() == nullptr) {
    return {false, "tables not loaded yet"};
  }
  return {true, ""};
}

void AuthService::stop() {
  server_.reset();
  feed_.reset();
}

}  // namespace tollgate::auth
