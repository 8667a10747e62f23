// The auth service: the feed keeps its tables, the bus's threads answer from the snapshot. Stateless; any number of replicas.
#pragma once

#include <atomic>
#include <memory>

#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/bus/rpcs_auth.hpp"
#include "libs/feed/feed.hpp"
#include "libs/service/service.hpp"
#include "libs/sql/sql.hpp"
#include "services/auth/settings.hpp"
#include "services/auth/tables.hpp"

namespace tollgate::auth {

class AuthService final : public service::Service {
 public:
  explicit AuthService(Settings settings);
  ~AuthService() override;

  [[nodiscard]] base::Result<void> start(service::Runtime& runtime) override;
  [[nodiscard]] service::Readiness ready() const override;
  void stop() override;

 private:
  struct Metrics;

  [[nodiscard]] base::Result<void> serve();
  void onPublished(const Snapshot& snapshot, const TableSizes& sizes);
  void answer(const auth::v1::AuthorizeRequest& request, bus::Responder<auth::v1::AuthorizeReply> responder);
  void answer(const auth::v1::ListNetworksRequest& request, bus::Responder<auth::v1::ListNetworksReply> responder);

  // Passed in.
  const Settings settings_;
  // Owned, in the order of making; taken apart the other way round.
  Tables tables_;
  // The answer to list_networks, made on the feed's thread because it may be megabytes. Shared with the requests being answered.
  std::atomic<std::shared_ptr<const auth::v1::ListNetworksReply>> networks_reply_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<sql::Pool> pool_;
  std::unique_ptr<bus::Connection> connection_;
  std::unique_ptr<feed::Feed> feed_;
  std::unique_ptr<bus::RpcServer> server_;
};

}  // namespace tollgate::auth
