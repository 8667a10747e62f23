// auth's tables as the feed keeps them: the rows of customers, trunks and trunk_sources, from which snapshots are published. A change of a
// trunk touches only the networks of its source rows.
//
// Thread: current() from any thread, everything else on the feed's thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "libs/feed/customers.hpp"
#include "libs/feed/id_filter.hpp"
#include "libs/feed/snapshot_tables.hpp"
#include "services/auth/snapshot.hpp"

namespace tollgate::auth {

class Tables final : public feed::SnapshotTables<Snapshot> {
 public:
  // networks_bytes_max: the largest encoded size of the list of networks (networks.hpp).
  explicit Tables(std::size_t networks_bytes_max) : networks_bytes_max_(networks_bytes_max) {}

  [[nodiscard]] base::Result<void> loadAll(sql::Session& session) override;
  [[nodiscard]] base::Result<void> apply(sql::Session& session, const std::vector<feed::Change>& changes) override;

  // Changes of single rows. The functions that read the database call these, and so do tests without a database.
  void setCustomer(base::CustomerId id, Customer customer) { customers_.set(id, std::move(customer)); }
  void removeCustomer(base::CustomerId id) { customers_.remove(id); }
  void setTrunk(Trunk trunk);
  void removeTrunk(base::TrunkId id);

 private:
  using TrunkRows = std::unordered_map<base::TrunkId, Trunk>;

  [[nodiscard]] base::Result<void> readTrunks(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows);
  [[nodiscard]] base::Result<void> readSources(sql::Session& session, const feed::IdFilter& filter, TrunkRows& rows);
  void replaceTrunks(TrunkRows&& rows);
  void addSources(const std::shared_ptr<const Trunk>& trunk);
  void removeSources(const Trunk& trunk);
  [[nodiscard]] std::shared_ptr<Snapshot> makeSnapshot() override;
  [[nodiscard]] std::shared_ptr<const NetworkList> listNetworks() const;

  // Passed in.
  const std::size_t networks_bytes_max_;
  // Owned.
  feed::Customers customers_;
  feed::WorkingRows<base::TrunkId, std::shared_ptr<const Trunk>> trunks_;
  // Sorted, because digits::NetworkMap is built fastest from sorted rows.
  std::map<digits::Network, std::shared_ptr<const NetworkSources>> sources_;
  // Since the last snapshot.
  bool sources_changed_ = true;   // sources_
  bool networks_changed_ = true;  // which networks sources_ has
};

}  // namespace tollgate::auth
