#include "libs/feed/customers.hpp"

#include <unordered_map>
#include <utility>

#include "libs/feed/id_filter.hpp"

namespace tollgate::feed {
namespace {

struct CustomerRow {
  base::CustomerId id;
  Customer customer;
};
using CustomerRows = std::unordered_map<base::CustomerId, CustomerRow>;

base::Result<void> readCustomers(sql::Session& session, const IdFilter& filter, CustomerRows& rows) {
  return session.each("SELECT id, name, status FROM customers" + filter.where("id"), filter.values(), [&rows](const sql::Row& row) {
    const base::CustomerId id(row.integer(0));
    rows[id] = {id, {row.text(1), row.text(2) != "active"}};
  });
}

}  // namespace

base::Result<void> Customers::loadAll(sql::Session& session) {
  CustomerRows rows;
  TG_TRY(readCustomers(session, IdFilter(), rows));
  rows_.clear();
  for (auto& [id, row] : rows) {
    set(id, std::move(row.customer));
  }
  return {};
}

base::Result<void> Customers::apply(sql::Session& session, const std::vector<Change>& changes) {
  return refreshRows<CustomerRow, base::CustomerId>(
      idsOf<base::CustomerId>(changes, "customer"),
      [&session](const IdFilter& filter, CustomerRows& rows) { return readCustomers(session, filter, rows); },
      [this](CustomerRow row) { set(row.id, std::move(row.customer)); }, [this](base::CustomerId id) { remove(id); });
}

}  // namespace tollgate::feed
