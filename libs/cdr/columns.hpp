// The columns of call detail records and of their attempts (REQUIREMENTS 10.1): one list each, from which INSERT, SELECT, JSON and its
// schema come. The lists are constant and the functions are pure: any thread. Owns nothing but the lists.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libs/money/money.hpp"
#include "libs/sql/sql.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::cdr {

// A call that has ended or was rejected.
struct FinishedCall {
  call::v1::EventHeader header;
  call::v1::CallRecord record;
};

// What a finished call costs (REQUIREMENTS 8.4, 8.5).
struct Price {
  std::int64_t talked_ms = 0;
  std::int64_t talked_seconds = 0;  // rounded up: d of REQUIREMENTS 8.4
  std::int64_t billed_seconds = 0;
  std::int64_t charge_micros = 0;
  std::int64_t cost_micros = 0;
  std::int64_t margin_micros = 0;
  money::Currency currency;
};

// The source of a row of `cdrs`. Requires: `call` and `price` outlive it.
struct Cdr {
  const FinishedCall& call;
  const Price& price;
  std::int64_t corrections = 0;  // how often the row of this call was replaced
};

// The source of a row of `cdr_attempts`. Requires: `call` and `attempt` outlive it.
struct CdrAttempt {
  const FinishedCall& call;
  const call::v1::Attempt& attempt;
};

enum class Type : std::uint8_t {
  kText,     // CHAR or VARCHAR; a JSON string
  kInteger,  // INT or BIGINT; a JSON integer
  kMicros,   // BIGINT micro-units, in a column named *_micros; decimal text with six places in JSON
  kTime,     // DATETIME(6), UTC; RFC 3339 text in JSON
};

template <class Source>
struct Column {
  std::string name;  // in MySQL
  Type type = Type::kText;
  bool nullable = false;
  std::size_t length = 0;  // characters that a kText column holds
  std::function<sql::Value(const Source&)> value;
  bool internal = false;  // kept in MySQL only: not shown by the API

  // Its name outside MySQL: amounts there are decimals, so they lose the suffix _micros.
  [[nodiscard]] std::string publicName() const;
};

template <class Source>
struct Table {
  std::string name;
  std::vector<Column<Source>> columns;

  // "call_id, instance, ...": what a SELECT asks for, in the order of `columns`.
  [[nodiscard]] std::string names() const;
  // "cdrs (call_id, instance, ...)": the head of sql::Session::insertMany().
  [[nodiscard]] std::string insertHead() const;
  // The values in the order of `columns`; texts are cut to the length of their column.
  [[nodiscard]] std::vector<sql::Value> row(const Source& source) const;
};

[[nodiscard]] const Table<Cdr>& cdrs();
[[nodiscard]] const Table<CdrAttempt>& attempts();

}  // namespace tollgate::cdr
