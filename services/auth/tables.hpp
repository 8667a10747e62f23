// auth's tables as the feed keeps them: rows of customers, trunks and trunk_sources, from which snapshots are published. The feed's
// thread calls all but current(), which any thread may.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "libs/feed/feed.hpp"
#include "services/auth/snapshot.hpp"

namespace tollgate::auth {

struct TableSizes {
  std::size_t customers = 0;
  std::size_t trunks = 0;
  std::size_t networks = 0;      // distinct networks of source rows
  std::size_t rows_refused = 0;  // since the start: rows read that break a rule and were passed over
  std::chrono::steady_clock::duration publish_time{};
};

class Tables final : public feed::Tables {
 public:
  // networks_bytes_max: of the encoded list of networks (networks.hpp).
  explicit Tables(std::size_t networks_bytes_max) : networks_bytes_max_(networks_bytes_max) {}

  [[nodiscard]] base::Result<void> loadAll(sql::Session& session) override;
  [[nodiscard]] base::Result<void> apply(sql::Session& session, const std::vector<feed::Change>& changes) override;
  void publish(std::uint64_t version) override;

  // nullptr before the first load.
  [[nodiscard]] std::shared_ptr<const Snapshot> current() const { return current_.load(); }
  // Called at the end of each publish, on the feed's thread. Set before the feed starts.
  void onPublished(std::function<void(const Snapshot&, const TableSizes&)> handler) { on_published_ = std::move(handler); }

  // The rows by themselves, for tests and for reading.
  void setCustomer(base::CustomerId id, Customer customer) { customers_.set(id, std::move(customer)); }
  void removeCustomer(base::CustomerId id) { customers_.erase(id); }
  void setTrunk(Trunk trunk);
  void removeTrunk(base::TrunkId id);

 private:
  using TrunkRows = std::unordered_map<base::TrunkId, Trunk>;

  [[nodiscard]] base::Result<void> readCustomers(sql::Session& session, std::string_view where, const std::vector<sql::Value>& ids);
  [[nodiscard]] base::Result<void> readTrunks(sql::Session& session, std::string_view where, const std::vector<sql::Value>& ids,
                                              TrunkRows& rows);
  [[nodiscard]] base::Result<void> readSources(sql::Session& session, std::string_view where, const std::vector<sql::Value>& ids,
                                               TrunkRows& rows);
  [[nodiscard]] base::Result<void> applyTrunks(sql::Session& session, const std::string& in, const std::vector<sql::Value>& values,
                                               std::span<const base::TrunkId> ids);
  void addClaims(const std::shared_ptr<const Trunk>& trunk);
  void dropClaims(const Trunk& trunk);

  // Passed in.
  const std::size_t networks_bytes_max_;
  std::function<void(const Snapshot&, const TableSizes&)> on_published_;
  // Owned.
  feed::MasterMap<base::CustomerId, Customer> customers_;
  feed::MasterMap<base::TrunkId, std::shared_ptr<const Trunk>> trunks_;
  std::map<digits::Network, std::shared_ptr<const Claims>> claims_;  // sorted, as the trie wants them
  std::size_t rows_refused_ = 0;
  bool claims_changed_ = true;                            // since the last publish: claims_
  bool networks_changed_ = true;                          // since the last publish: which keys claims_ has
  std::atomic<std::shared_ptr<const Snapshot>> current_;  // shared with the requests being answered
  // The one before, kept until the next so that taking it apart is the feed's work and never a request's.
  std::shared_ptr<const Snapshot> previous_;
};

}  // namespace tollgate::auth
