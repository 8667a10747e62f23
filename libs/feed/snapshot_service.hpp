// A service that answers requests from a snapshot of the configuration and has no other state: auth and routing. It makes the metrics,
// the MySQL pool, the bus connection, the feed that keeps the tables up to date, and the RPC server. It starts them in this order, and
// stops the RPC server and the feed first. Any number of replicas may run.
//
// Thread: as service::Service. The derived class's handlers run on the bus's threads, onPublish on the feed's thread.
// Requires: the destructor of the derived class calls stop(), because the feed's thread calls its onPublish until then.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "libs/base/assert.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/feed/feed.hpp"
#include "libs/feed/metrics.hpp"
#include "libs/feed/settings.hpp"
#include "libs/service/service.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::feed {

// TablesType: derived from SnapshotTables.
template <class TablesType>
class SnapshotService : public service::Service {
 public:
  using Snapshot = typename TablesType::Snapshot;

  ~SnapshotService() override { TG_ASSERT(feed_ == nullptr); }
  SnapshotService(const SnapshotService&) = delete;
  SnapshotService& operator=(const SnapshotService&) = delete;

  // Errors: a wrong bus setting. Servers that cannot be reached are not errors: the service starts and is not ready.
  [[nodiscard]] base::Result<void> start(service::Runtime& runtime) override {
    snapshot_metrics_ = std::make_unique<SnapshotMetrics>(runtime.metrics, name_);
    makeMetrics(runtime.metrics);
    tables_.onPublish([this](const Snapshot& snapshot, std::chrono::steady_clock::duration took) {
      snapshot_metrics_->version.set(static_cast<double>(snapshot.version));
      snapshot_metrics_->publish_seconds.set(std::chrono::duration<double>(took).count());
      auto& refused = snapshot_metrics_->rows_refused;
      refused.add(static_cast<double>(tables_.rowsRefused()) - refused.value());
      onPublish(snapshot);
    });
    pool_ = std::make_unique<sql::Pool>(settings_.sql, sql::PoolMetrics(runtime.metrics, name_));
    TG_TRY_ASSIGN(connection, bus::Connection::open(settings_.bus, bus::ConnectionKind::kRequests, bus::ExportTo{runtime.metrics, name_}));
    connection_ = std::move(connection);
    feed_ = std::make_unique<Feed>(*pool_, *connection_, tables_, settings_.poll, FeedMetrics(runtime.metrics, name_));
    TG_TRY(feed_->start());
    server_ = std::make_unique<bus::RpcServer>(*connection_);
    return serve(*server_);
  }

  [[nodiscard]] service::Readiness ready() const override {
    if (connection_ == nullptr || !connection_->isConnected()) {
      return {false, "the bus is not connected"};
    }
    if (tables_.current() == nullptr) {
      return {false, kNotLoaded};
    }
    return {true, ""};
  }

  void stop() override {
    server_.reset();
    feed_.reset();
  }

 protected:
  // `name` as in admin_api: the prefix of the metrics. The other arguments make the tables.
  template <class... TablesArguments>
  SnapshotService(std::string name, SnapshotSettings settings, TablesArguments&&... tables_arguments)
      : name_(std::move(name)), settings_(std::move(settings)), tables_(std::forward<TablesArguments>(tables_arguments)...) {}

  // The service's own metrics. Called first in start().
  virtual void makeMetrics(telemetry::Metrics& metrics) = 0;
  // Registers the handlers of the service's requests. Errors: those of bus::RpcServer; start() returns them.
  [[nodiscard]] virtual base::Result<void> serve(bus::RpcServer& server) = 0;
  // A snapshot is about to be in force.
  virtual void onPublish(const Snapshot& snapshot) = 0;

  // The snapshot to answer one request from. Before the first load the request is answered with an error, and this is nullptr.
  template <class Reply>
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshotFor(bus::Responder<Reply>& responder) {
    auto snapshot = tables_.current();
    if (snapshot == nullptr) {
      snapshot_metrics_->unready.add();
      responder.fail({base::ErrorCode::kUnavailable, kNotLoaded});
    }
    return snapshot;
  }

 private:
  static constexpr const char* kNotLoaded = "the tables are not loaded yet";

  // Passed in.
  const std::string name_;
  const SnapshotSettings settings_;
  // Owned, in the order of making; the last is destroyed first.
  TablesType tables_;
  std::unique_ptr<SnapshotMetrics> snapshot_metrics_;
  std::unique_ptr<sql::Pool> pool_;
  std::unique_ptr<bus::Connection> connection_;
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<bus::RpcServer> server_;
};

}  // namespace tollgate::feed
