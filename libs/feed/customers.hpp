// The customers as auth and routing need them: the name for messages, and whether calls are refused. Read in one place for both.
// Customers belongs to the feed's thread; a Customer is a value.
#pragma once

#include <string>
#include <vector>

#include "libs/base/ids.hpp"
#include "libs/base/result.hpp"
#include "libs/feed/feed.hpp"
#include "libs/feed/rows.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::feed {

struct Customer {
  std::string name;
  bool blocked = false;  // REQUIREMENTS 1.7
};

using PublishedCustomers = PublishedRows<base::CustomerId, Customer>;

class Customers {
 public:
  // Errors: those of sql::Session.
  [[nodiscard]] base::Result<void> loadAll(sql::Session& session);
  // Brings the customers named by `changes` up to date. Errors: those of sql::Session.
  [[nodiscard]] base::Result<void> apply(sql::Session& session, const std::vector<Change>& changes);

  void set(base::CustomerId id, Customer customer) { rows_.set(id, std::move(customer)); }
  void remove(base::CustomerId id) { rows_.erase(id); }
  [[nodiscard]] PublishedCustomers publish() { return rows_.publish(); }

 private:
  WorkingRows<base::CustomerId, Customer> rows_;
};

}  // namespace tollgate::feed
