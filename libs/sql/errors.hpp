// What a MySQL error number means here. kInvalid says that the values of the statement are at fault, and only that: whoever reads it gives
// the values up (REQUIREMENTS 10.7). An unknown number is kUnavailable. Private to libs/sql. Pure: any thread.
#pragma once

#include "libs/base/result.hpp"

namespace tollgate::sql {

struct ErrorMeaning {
  base::ErrorCode code = base::ErrorCode::kUnavailable;
  bool connection_lost = false;    // discard the connection
  bool retry_transaction = false;  // the server rolled back work to resolve a lock conflict
  bool prepare_again = false;      // the statement's handle is invalid; the statement has changed nothing
};

[[nodiscard]] ErrorMeaning meaningOf(int mysql_error) noexcept;

}  // namespace tollgate::sql
