// What a MySQL error number means to us. Private to libs/sql. Any thread.
#pragma once

#include "libs/base/result.hpp"

namespace tollgate::sql {

struct ErrorMeaning {
  base::ErrorCode code = base::ErrorCode::kInvalid;
  bool connection_lost = false;    // throw the connection away
  bool retry_transaction = false;  // the server undid work to resolve a lock conflict
  bool prepare_again = false;      // the statement's handle is worthless, and it has changed nothing
};

[[nodiscard]] ErrorMeaning meaningOf(int mysql_error) noexcept;

}  // namespace tollgate::sql
