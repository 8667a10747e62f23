// routing's tables as the feed keeps them, and the snapshots made from them. A change makes new plans for the trunks it concerns and for
// no others.
//
// Thread: current() from any thread, everything else on the feed's thread.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "libs/feed/customers.hpp"
#include "libs/feed/id_filter.hpp"
#include "libs/feed/snapshot_tables.hpp"
#include "services/routing/dialpeers.hpp"
#include "services/routing/snapshot.hpp"

namespace tollgate::routing {

class Tables final : public feed::SnapshotTables<Snapshot> {
 public:
  [[nodiscard]] base::Result<void> loadAll(sql::Session& session) override;
  [[nodiscard]] base::Result<void> apply(sql::Session& session, const std::vector<feed::Change>& changes) override;

  // Changes of single rows. The functions that read the database call these, and so do tests without a database.
  void setCustomer(base::CustomerId id, Customer customer) { customers_.set(id, std::move(customer)); }
  void removeCustomer(base::CustomerId id) { customers_.remove(id); }
  void setTrunk(Trunk trunk);
  void removeTrunk(base::TrunkId id) { trunks_.erase(id); }
  void setRule(Rule rule);  // without turns it gets those of the rule's earlier version
  void removeRule(base::RuleId id);
  void setDialpeer(base::TrunkId trunk, const Dialpeer& dialpeer) { dialpeers_.set(trunk, dialpeer); }
  void removeDialpeer(base::DialpeerId id) { dialpeers_.remove(id); }

 private:
  // Reading, in rows.cpp.
  struct DialpeerRow {
    base::TrunkId trunk;
    Dialpeer dialpeer;
  };
  using TrunkRows = std::unordered_map<base::TrunkId, Trunk>;
  using RuleRows = std::unordered_map<base::RuleId, Rule>;
  using DialpeerRows = std::unordered_map<base::DialpeerId, DialpeerRow>;
  [[nodiscard]] base::Result<void> readTrunks(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows);
  [[nodiscard]] base::Result<void> readEndpoints(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows);
  [[nodiscard]] base::Result<void> readRules(sql::Session& session, const feed::IdFilter& filter, RuleRows& rows);
  [[nodiscard]] base::Result<void> readTargets(sql::Session& session, const feed::IdFilter& filter, RuleRows& rows);
  // Row by row: a full load of a million dialpeers needs no second copy of them.
  [[nodiscard]] static base::Result<void> readDialpeers(sql::Session& session, const feed::IdFilter& filter,
                                                        const std::function<void(const DialpeerRow&)>& take);

  [[nodiscard]] base::Result<void> applyTrunks(sql::Session& session, const std::vector<base::TrunkId>& ids);
  [[nodiscard]] base::Result<void> applyRules(sql::Session& session, const std::vector<base::RuleId>& ids);
  [[nodiscard]] base::Result<void> applyDialpeers(sql::Session& session, const std::vector<base::DialpeerId>& ids);
  void replaceTrunks(TrunkRows&& rows);
  void replaceRules(RuleRows&& rows);
  void rebuildPlans();
  [[nodiscard]] std::shared_ptr<const Plan> makePlan(const std::vector<Dialpeer>& dialpeers) const;
  [[nodiscard]] std::shared_ptr<Snapshot> makeSnapshot() override;

  // Owned.
  feed::Customers customers_;
  feed::WorkingRows<base::TrunkId, std::shared_ptr<const Trunk>> trunks_;
  feed::WorkingRows<base::RuleId, std::shared_ptr<const Rule>> rules_;
  feed::WorkingRows<base::TrunkId, std::shared_ptr<const Plan>> plans_;
  Dialpeers dialpeers_;
  std::unordered_set<base::RuleId> moved_rules_;  // since the last snapshot: rules whose place in the plans changed
};

}  // namespace tollgate::routing
