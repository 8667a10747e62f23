// Answers tg.ctl.ingress.v1.report_calls with the live calls of this instance, and with the ended calls whose last record the stream has
// not stored yet. Billing rebuilds lost accounts from it, so every call is in one of the two lists until its record is stored. Also tells
// which ended calls have waited so long that billing should release their slots. Owns the list of ended calls. Loop thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/base/ids.hpp"
#include "services/ingress/calls/call_table.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::call {
class CallMachine;
}

namespace tollgate::ingress {

struct Call;

// An ended call whose last record the stream has not stored yet.
struct UnstoredCall {
  control::v1::LiveCall call;
  std::chrono::microseconds talked{0};
  std::vector<base::TrunkId> carriers;  // whose slots it may use
};

class CallReport {
 public:
  // `release_after`: how long a record may wait before the call is due for a release.
  CallReport(const CallTable<Call>& table, std::string instance, std::chrono::milliseconds release_after)
      : table_(table), instance_(std::move(instance)), release_after_(release_after) {}

  // A call has ended, and its last record is in the spool under this id. Only calls that may hold money or a slot are kept.
  void over(const call::CallMachine& machine, const std::string& message_id, base::MonotonicTime now);
  // The stream has these records.
  void forgetStored(const std::vector<std::string>& message_ids);

  // Message ids of at most `most` calls that are due for a release. Each is due again after a pause, which doubles up to a minute, until
  // released() or forgetStored() names it.
  [[nodiscard]] std::vector<std::string> takeDue(base::MonotonicTime now, std::size_t most);
  // nullptr: the stream has stored the record meanwhile.
  [[nodiscard]] const UnstoredCall* find(const std::string& message_id) const;
  // Billing has released the call. It stays in the report until its record is stored.
  void released(const std::string& message_id);
  // Ended calls that are kept: the metric tollgate_ingress_unstored_calls.
  [[nodiscard]] std::size_t waiting() const { return over_.size(); }

  // Where the next piece of an answer begins. Each piece looks at kCallsPerPiece slots of the table, and after those at as many ended
  // calls, because 20,000 calls in one turn would delay all calls. A call that ends meanwhile may be in two pieces, but it is in one of
  // them.
  struct Cursor {
    std::size_t slot = 0;
    std::string after;  // message id of the last ended call looked at
  };
  // The next piece, and moves the cursor; the last one has is_last.
  [[nodiscard]] control::v1::ReportCallsReply report(const control::v1::ReportCallsRequest& request, Cursor& cursor) const;

  static constexpr std::size_t kCallsPerPiece = 1000;

 private:
  struct Kept {
    UnstoredCall unstored;
    bool released = false;
  };
  struct Due {
    std::string message_id;
    std::chrono::milliseconds pause;  // after this release, if billing does not answer
  };

  // Passed in.
  const CallTable<Call>& table_;
  const std::string instance_;
  const std::chrono::milliseconds release_after_;
  // Owned.
  std::map<std::string, Kept> over_;             // by message id; in order, so that pieces can go on where the last one ended
  std::multimap<base::MonotonicTime, Due> due_;  // calls that are stored or released meanwhile are left out when their time comes
};

}  // namespace tollgate::ingress
