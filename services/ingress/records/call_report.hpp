// Answers tg.ctl.ingress.v1.report_calls with the live calls of this instance, and with the ended calls whose last record the stream has
// not stored yet. Billing rebuilds lost accounts from it, so every call is in one of the two lists until its record is stored. Owns the
// list of ended calls. Loop thread only.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "services/ingress/calls/call_table.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::call {
class CallMachine;
}

namespace tollgate::ingress {

struct Call;

class CallReport {
 public:
  explicit CallReport(const CallTable<Call>& table, std::string instance) : table_(table), instance_(std::move(instance)) {}

  // A call has ended, and its last record is in the spool under this id. Only calls that may hold money or a slot are kept.
  void over(const call::CallMachine& machine, const std::string& message_id);
  // The stream has these records.
  void forgetStored(const std::vector<std::string>& message_ids);
  // Ended calls that are kept: the metric tollgate_ingress_unstored_calls.
  [[nodiscard]] std::size_t waiting() const { return over_.size(); }

  // One piece of the answer: the calls of the slots [first, first + kSlotsPerPiece), and with the last piece the ended calls. `next` is the
  // first slot of the next piece, 0 after the last one. There are pieces because 20,000 calls in one turn would delay all calls.
  struct Piece {
    control::v1::ReportCallsReply reply;
    std::size_t next = 0;
  };
  [[nodiscard]] Piece report(const control::v1::ReportCallsRequest& request, std::size_t first, bool draining) const;

  static constexpr std::size_t kSlotsPerPiece = 1000;

 private:
  // Passed in.
  const CallTable<Call>& table_;
  const std::string instance_;
  // Owned.
  std::unordered_map<std::string, control::v1::LiveCall> over_;
};

}  // namespace tollgate::ingress
