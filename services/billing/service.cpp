#include "services/billing/service.hpp"

#include <string>

#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/feed/feed.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/accounts/account_loader.hpp"
#include "services/billing/accounts/auditor.hpp"
#include "services/billing/accounts/payments.hpp"
#include "services/billing/accounts/queries.hpp"
#include "services/billing/accounts/sweeper.hpp"
#include "services/billing/admission/admission.hpp"
#include "services/billing/admission/extension.hpp"
#include "services/billing/config/tables.hpp"
#include "services/billing/records/committer.hpp"
#include "services/billing/records/dead_letters.hpp"
#include "services/billing/records/intake.hpp"
#include "services/billing/records/slot_reader.hpp"
#include "services/billing/records/storage.hpp"
#include "tollgate/billing/v1/billing.rpc.h"

namespace tollgate::billing {

namespace {

constexpr std::chrono::milliseconds kFlushOnStop{500};

}  // namespace

struct BillingService::Components {
  Components(const Settings& settings, telemetry::Metrics& registry, std::unique_ptr<bus::Connection> request_connection,
             std::unique_ptr<bus::Connection> event_connection)
      : metrics(registry),
        tables(metrics.config_version, [this](const auto& customers) { loader.onCreated(customers); }),
        requests(std::move(request_connection)),
        events(std::move(event_connection)),
        pool(settings.sql, sql::PoolMetrics(registry, "billing")),
        redis(std::make_unique<redis::Client>(settings.redis, scripts.all(), redis::ClientMetrics(registry, "billing"))),
        store(*redis, scripts, {settings.lease, settings.ended_mark, settings.record_wait}),
        settler(store, metrics),
        committer({*events, tables, pool, store, settler, metrics, settings}),
        storage(pool, metrics, settings.storage),
        slot_reader(tables, store),
        intake(*events, settings.stream, metrics, [this](const bus::Record& record) { slot_reader.accept(record); }),
        presence(clock, settings.instance_gone_after),
        presence_watch(*requests, pool, presence),
        loader({tables, *redis, store, pool, *requests, intake, presence, presence_watch, metrics, settings}),
        sweeper({*redis, store, *requests, intake, committer, presence, settings}),
        auditor({tables, *redis, store, *requests, presence, presence_watch, metrics, settings}),
        feed(std::make_unique<feed::Feed>(pool, *requests, tables, settings.feed_poll, feed::FeedMetrics(registry, "billing"))),
        admission(dependencies(settings)),
        extension(dependencies(settings), *events),
        queries(dependencies(settings)),
        dead_letters(pool, *events, metrics),
        payments(std::make_unique<Payments>(pool, settler, metrics, static_cast<std::size_t>(settings.workers))),
        server(std::make_unique<bus::RpcServer>(*requests)) {}

  [[nodiscard]] HandlerDependencies dependencies(const Settings& settings) {
    return {tables, store, metrics, settings, [this](base::CustomerId customer) { loader.onMissing(customer); }};
  }

  // The RPCs. Bus threads.
  void reserve(const bus::RpcContext& context, const v1::ReserveRequest& request, bus::Responder<v1::ReserveReply> responder) {
    if (!request.dry_run()) {  // a route test holds nothing
      presence.heardFrom(request.instance());
    }
    admission.reserve(context, request, std::move(responder));
  }
  void occupy(const bus::RpcContext& context, const v1::OccupyRequest& request, bus::Responder<v1::OccupyReply> responder) {
    admission.occupy(context, request, std::move(responder));
  }
  void extend(const bus::RpcContext& context, const v1::ExtendRequest& request, bus::Responder<v1::ExtendReply> responder) {
    presence.heardFrom(request.instance());
    extension.extend(context, request, std::move(responder));
  }
  void release(const bus::RpcContext& context, const v1::ReleaseRequest& request, bus::Responder<v1::ReleaseReply> responder) {
    extension.release(context, request, std::move(responder));
  }
  void postPayment(const bus::RpcContext& context, const v1::PostPaymentRequest& request, bus::Responder<v1::PostPaymentReply> responder) {
    payments->post(context, request, std::move(responder));
  }
  void balance(const bus::RpcContext& /*context*/, const v1::BalanceRequest& request, bus::Responder<v1::BalanceReply> responder) {
    queries.balance(request, std::move(responder));
  }
  void trunkLoad(const bus::RpcContext& /*context*/, const v1::TrunkLoadRequest& request, bus::Responder<v1::TrunkLoadReply> responder) {
    queries.trunkLoads(request, std::move(responder));
  }
  void replayDeadLetter(const bus::RpcContext& /*context*/, const v1::ReplayDeadLetterRequest& request,
                        bus::Responder<v1::ReplayDeadLetterReply> responder) {
    dead_letters.replay(request, std::move(responder));
  }

  // In the order of construction; stop() has the order in which they end.
  BillingMetrics metrics;
  Scripts scripts;
  ConfigTables tables;
  std::unique_ptr<bus::Connection> requests;  // requests and replies, sent without delay
  std::unique_ptr<bus::Connection> events;    // records, acknowledgements, events
  sql::Pool pool;
  std::unique_ptr<redis::Client> redis;
  CreditStore store;
  Settler settler;
  Committer committer;
  Storage storage;
  SlotReader slot_reader;
  Intake intake;
  base::SystemClock clock;
  Presence presence;
  PresenceWatch presence_watch;
  AccountLoader loader;
  Sweeper sweeper;
  Auditor auditor;
  std::unique_ptr<feed::Feed> feed;
  Admission admission;
  Extension extension;
  Queries queries;
  DeadLetters dead_letters;
  std::unique_ptr<Payments> payments;
  std::unique_ptr<bus::RpcServer> server;
};

BillingService::BillingService(Settings settings) : settings_(std::move(settings)) {}

BillingService::~BillingService() {
  stop();
}

base::Result<void> BillingService::start(service::Runtime& runtime) {
  TG_TRY_ASSIGN(requests, bus::Connection::open(settings_.bus, bus::ConnectionKind::kRequests, bus::ExportTo{runtime.metrics, "billing"}));
  TG_TRY_ASSIGN(events, bus::Connection::open(settings_.bus, bus::ConnectionKind::kEvents, bus::ExportTo{runtime.metrics, "billing"}));
  components_ = std::make_unique<Components>(settings_, runtime.metrics, std::move(requests), std::move(events));
  TG_TRY(components_->feed->start());
  TG_TRY(components_->committer.start());
  components_->storage.start();
  components_->intake.start();
  TG_TRY(components_->presence_watch.start());
  components_->loader.start();
  components_->sweeper.start();
  components_->auditor.start();
  components_->dead_letters.start();
  TG_TRY(components_->server->serveAll<v1::Billing>(*components_));
  const std::lock_guard lock(mutex_);
  serving_ = true;
  return {};
}

service::Readiness BillingService::ready() const {
  const std::lock_guard lock(mutex_);
  if (!serving_) {
    return {false, "starting or stopping"};
  }
  if (!components_->requests->isConnected() || !components_->events->isConnected()) {
    return {false, "the bus is not connected"};
  }
  if (!components_->tables.current()) {
    return {false, "no configuration has been loaded from MySQL yet"};
  }
  if (!components_->redis->isConnected()) {
    return {false, "Redis is not connected"};
  }
  if (!components_->intake.isBound()) {
    return {false, "the record stream is being made"};
  }
  if (std::string error = components_->loader.error(); !error.empty()) {
    return {false, std::move(error)};
  }
  if (const auto error = components_->committer.blockedBy()) {
    return {false, "MySQL does not store records: " + *error};
  }
  return {true, ""};
}

// First the sources of work stop, then what does the work, last the clients.
void BillingService::stop() {
  {
    const std::lock_guard lock(mutex_);
    serving_ = false;
  }
  if (!components_) {
    return;
  }
  components_->server.reset();
  components_->payments.reset();
  components_->dead_letters.stop();
  components_->auditor.stop();
  components_->sweeper.stop();
  components_->loader.stop();
  components_->presence_watch.stop();
  components_->intake.stop();
  components_->committer.stop();
  components_->storage.stop();
  components_->feed.reset();
  if (const auto flushed = components_->events->flush(kFlushOnStop); !flushed) {
    telemetry::warn("events not flushed during the stop", {{"error", flushed.error().message}});
  }
  // Completes all pending commands, so the objects that wait for them must still exist.
  components_->redis.reset();
  components_.reset();
}

service::Definition definition() {
  return {
      "billing", "can a call be paid for, is there a free slot, what is owed?",
      [](config::Loader& loader) -> std::unique_ptr<service::Service> { return std::make_unique<BillingService>(readSettings(loader)); }};
}

}  // namespace tollgate::billing
