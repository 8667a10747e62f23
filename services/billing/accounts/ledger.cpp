#include "services/billing/accounts/ledger.hpp"

#include <algorithm>

namespace tollgate::billing {

namespace {

std::string systemAccount(const Transfer& transfer) {
  return "system:" + transfer.counterpart + ":" + transfer.currency.text();
}

std::vector<sql::Value> entryRow(const Transfer& transfer, std::int64_t line, const std::string& account, std::int64_t amount,
                                 const sql::Value& posted_at) {
  return {transfer.id,
          line,
          account,
          amount,
          transfer.currency.text(),
          transfer.kind,
          transfer.call_id.empty() ? sql::Value(nullptr) : sql::Value(transfer.call_id),
          sql::fit(transfer.reference, 128),
          sql::fit(transfer.author, 128),
          sql::fit(transfer.note, 255),
          sql::fromTime(transfer.at),
          posted_at};
}

struct Movement {
  money::Currency currency;
  std::int64_t amount_micros = 0;
};

}  // namespace

std::string customerAccount(base::CustomerId customer) {
  return "customer:" + std::to_string(customer.value());
}

base::Result<void> post(sql::Session& session, const std::vector<Transfer>& transfers) {
  if (transfers.empty()) {
    return {};
  }
  const sql::Value posted_at = sql::fromTime(base::SystemClock().wall());
  std::vector<std::vector<sql::Value>> entries;
  // Sorted by account, so that all transactions lock the sums in the same order.
  std::map<std::string, Movement> movements;
  for (const Transfer& transfer : transfers) {
    const std::string customer = customerAccount(transfer.customer);
    const std::string system = systemAccount(transfer);
    entries.push_back(entryRow(transfer, 1, customer, transfer.amount_micros, posted_at));
    entries.push_back(entryRow(transfer, 2, system, -transfer.amount_micros, posted_at));
    for (const auto& [account, amount] : {std::pair(customer, transfer.amount_micros), std::pair(system, -transfer.amount_micros)}) {
      movements[account].currency = transfer.currency;
      movements[account].amount_micros += amount;
    }
  }
  TG_TRY(session.insertMany(
      "ledger_entries (transfer_id, line, account, amount_micros, currency, kind, call_id, reference, author, note, at, posted_at)",
      entries, ""));
  std::vector<std::vector<sql::Value>> sums;
  for (const auto& [account, movement] : movements) {
    sums.push_back({account, movement.currency.text(), movement.amount_micros, std::int64_t{1}});
  }
  TG_TRY(session.insertMany("accounts (account, currency, balance_micros, version)", sums,
                            "ON DUPLICATE KEY UPDATE balance_micros = balance_micros + VALUES(balance_micros), version = version + 1"));
  return {};
}

base::Result<std::map<base::CustomerId, AccountSum>> readSums(sql::Session& session, const std::vector<base::CustomerId>& customers) {
  std::map<base::CustomerId, AccountSum> sums;
  std::map<std::string, base::CustomerId> by_account;
  std::vector<sql::Value> accounts;
  for (const base::CustomerId customer : customers) {
    sums[customer] = AccountSum();
    by_account[customerAccount(customer)] = customer;
    accounts.emplace_back(customerAccount(customer));
  }
  TG_TRY(sql::eachIn(session, "SELECT account, balance_micros, version FROM accounts WHERE account", accounts, [&](const sql::Row& row) {
    sums[by_account[row.text(0)]] = AccountSum{row.integer(1), row.integer(2)};
  }));
  return sums;
}

}  // namespace tollgate::billing
