// routing's tables as the feed keeps them, and the snapshots published from them. One change rebuilds the plans of the trunks it touches
// and nothing else. The feed's thread calls all but current(), which any thread may.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libs/feed/feed.hpp"
#include "services/routing/dialpeers.hpp"
#include "services/routing/snapshot.hpp"

namespace tollgate::routing {

struct TableSizes {
  std::size_t customers = 0;
  std::size_t trunks = 0;
  std::size_t rules = 0;
  std::size_t dialpeers = 0;
  std::size_t rows_refused = 0;  // since the start: rows read that break a rule and were passed over
  std::chrono::steady_clock::duration publish_time{};
};

class Tables final : public feed::Tables {
 public:
  Tables() = default;

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
  void removeTrunk(base::TrunkId id) { trunks_.erase(id); }
  void setRule(Rule rule);  // turns are given here: those of the rule's earlier version go on
  void removeRule(base::RuleId id);
  void setDialpeer(base::TrunkId trunk, const Dialpeer& dialpeer) { dialpeers_.set(trunk, dialpeer); }
  void removeDialpeer(base::DialpeerId id) { dialpeers_.remove(id); }

 private:
  using Ids = std::vector<sql::Value>;
  using TrunkRows = std::unordered_map<base::TrunkId, Trunk>;
  using RuleRows = std::unordered_map<base::RuleId, Rule>;

  [[nodiscard]] base::Result<void> readCustomers(sql::Session& session, std::string_view where, const Ids& ids);
  [[nodiscard]] base::Result<void> readTrunks(sql::Session& session, std::string_view where, const Ids& ids, TrunkRows& rows);
  [[nodiscard]] base::Result<void> readEndpoints(sql::Session& session, std::string_view where, const Ids& ids, TrunkRows& rows);
  [[nodiscard]] base::Result<void> readRules(sql::Session& session, std::string_view where, const Ids& ids, RuleRows& rows);
  [[nodiscard]] base::Result<void> readTargets(sql::Session& session, std::string_view where, const Ids& ids, RuleRows& rows);
  [[nodiscard]] base::Result<void> readDialpeers(sql::Session& session, std::string_view where, const Ids& ids);
  [[nodiscard]] base::Result<void> applyTrunks(sql::Session& session, const std::string& in, const Ids& values,
                                               std::span<const base::TrunkId> ids);
  [[nodiscard]] base::Result<void> applyRules(sql::Session& session, const std::string& in, const Ids& values,
                                              std::span<const base::RuleId> ids);
  void refuseRow(std::string_view table, std::int64_t id);
  void rebuildPlans();
  [[nodiscard]] std::shared_ptr<const Plan> makePlan(const std::vector<Dialpeer>& dialpeers) const;

  // Passed in.
  std::function<void(const Snapshot&, const TableSizes&)> on_published_;
  // Owned.
  feed::MasterMap<base::CustomerId, Customer> customers_;
  feed::MasterMap<base::TrunkId, std::shared_ptr<const Trunk>> trunks_;
  feed::MasterMap<base::RuleId, std::shared_ptr<const Rule>> rules_;
  feed::MasterMap<base::TrunkId, std::shared_ptr<const Plan>> plans_;
  Dialpeers dialpeers_;
  std::unordered_set<base::RuleId> recoded_;  // since the last publish: rules whose place in the plans changed
  std::size_t rows_refused_ = 0;
  std::atomic<std::shared_ptr<const Snapshot>> current_;  // shared with the requests being answered
  // The one before, kept until the next so that taking it apart is the feed's work and never a request's.
  std::shared_ptr<const Snapshot> previous_;
};

}  // namespace tollgate::routing
