#include "libs/sql/errors.hpp"

namespace tollgate::sql {

using base::ErrorCode;

ErrorMeaning meaningOf(int mysql_error) noexcept {
  switch (mysql_error) {
    case 1022:  // duplicate key on write
    case 1062:  // duplicate entry
    case 1451:  // another row refers to this one
    case 1452:  // refers to a row that does not exist
      return {.code = ErrorCode::kConflict};
    case 1020:  // changed since last read (snapshot isolation)
    case 1205:  // lock wait timeout
    case 1213:  // deadlock
      return {.code = ErrorCode::kTimeout, .retry_transaction = true};
    case 1317:  // interrupted
    case 1969:  // max_statement_time
    case 3024:  // max_execution_time
      return {.code = ErrorCode::kTimeout};
    case 1243:  // unknown statement handle
    case 1615:  // needs to be prepared again
    case 2057:  // the columns of the SELECT have changed since it was prepared (by a migration)
      return {.code = ErrorCode::kInternal, .prepare_again = true};
    case 1040:  // too many connections
    case 1044:  // no access to the database
    case 1045:  // access denied
    case 1049:  // no such database
    case 1053:  // shutdown in progress
    case 1130:  // host not allowed
    case 1152:  // aborted
    case 1184:
    case 1203:  // too many connections of this user
    case 1226:  // resource limit of this user
    case 1290:  // read only: a replica, or a primary during a fail-over
    case 1836:
    case 1927:  // connection was killed
    case 3168:  // server is not ready
    case 4031:  // closed for inactivity
      return {.code = ErrorCode::kUnavailable, .connection_lost = true};
    case 2014:  // commands out of sync
    case 2030:
    case 2031:
      return {.code = ErrorCode::kInternal, .connection_lost = true};
    default:
      break;
  }
  if (mysql_error >= 2000 && mysql_error < 3000) {  // the client library: 2006 gone away, 2013 lost during query, 2055 lost with error ...
    return {.code = ErrorCode::kUnavailable, .connection_lost = true};
  }
  return {.code = ErrorCode::kInvalid};
}

}  // namespace tollgate::sql
