#include "libs/sql/errors.hpp"

namespace tollgate::sql {

using base::ErrorCode;

ErrorMeaning meaningOf(int mysql_error) noexcept {
  switch (mysql_error) {
    // The values of the statement itself: the same statement fails for ever, on every server.
    case 1048:  // NULL in a column that takes none
    case 1264:  // out of range
    case 1265:  // truncated
    case 1292:  // bad date or number
    case 1366:  // not a text of the column's character set, or not a number
    case 1406:  // too long
    case 1411:  // a value that the function does not take
    case 1690:  // out of range in an expression
    case 3140:  // not JSON
    case 3819:  // check constraint, MySQL
    case 4025:  // check constraint, MariaDB
      return {.code = ErrorCode::kInvalid};
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
    case 1064:  // syntax
      return {.code = ErrorCode::kInternal};
    case 1040:  // too many connections
    case 1044:
    case 1045:  // access denied
    case 1049:  // no such database
    case 1053:  // shutdown in progress
    case 1130:  // host not allowed
    case 1142:  // no right to the table; a new session has what was granted meanwhile
    case 1143:  // no right to the column
    case 1152:
    case 1184:  // aborted
    case 1203:  // too many connections of this user
    case 1226:  // resource limit of this user
    case 1227:  // a privilege is missing
    case 1290:  // read only: a replica, or a primary during a fail-over
    case 1370:  // no right to the routine
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
  // The client library has 2006 gone away, 2013 lost during query, 2055 lost with error ... Proxies have numbers of their own from 9000 on:
  // perhaps the next connection reaches another server.
  const bool is_lost = (mysql_error >= 2000 && mysql_error < 3000) || mysql_error >= 9000;
  // A full disk, a missing table or column, and everything unknown: somebody can mend it, and nothing says that the values are wrong.
  return {.code = ErrorCode::kUnavailable, .connection_lost = is_lost};
}

}  // namespace tollgate::sql
