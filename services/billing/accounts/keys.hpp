// The Redis keys of billing. All keys of a customer are in one hash slot: {c<id>}. Pure: any thread.
//
//   {c1}:acct            hash   posted, version, held (sum of the holds)
//   {c1}:holds           zset   call id, scored with the end of its lease in ms
//   {c1}:hold:<call>     hash   amount, confirmed, record (CallAnswered), over
//   {c1}:ended:<call>    text   the call is over; expires
//   {c1}:late            hash   posted, version of a commit that met no account
//   {c1}:in:<trunk>      zset   calls that use an incoming slot, scored with the end of their lease
//   {c1}:out:<trunk>     zset   the same for calls to this trunk, in the slot of the customer who owns it
//   {c1}:cps:in:<trunk>, {c1}:cps:out:<trunk>   hash   second, calls; expires
//   tg:leases            zset   <customer>:<call>: where the sweeper looks; a stale entry is harmless
#pragma once

#include <string>
#include <string_view>

#include "libs/base/ids.hpp"

namespace tollgate::billing::keys {

inline constexpr const char* kLeases = "tg:leases";

inline std::string slot(base::CustomerId customer) {
  return "{c" + std::to_string(customer.value()) + "}:";
}
inline std::string account(base::CustomerId customer) {
  return slot(customer) + "acct";
}
inline std::string holds(base::CustomerId customer) {
  return slot(customer) + "holds";
}
inline std::string holdPrefix(base::CustomerId customer) {
  return slot(customer) + "hold:";
}
inline std::string hold(base::CustomerId customer, const std::string& call) {
  return holdPrefix(customer) + call;
}
inline std::string ended(base::CustomerId customer, const std::string& call) {
  return slot(customer) + "ended:" + call;
}
inline std::string late(base::CustomerId customer) {
  return slot(customer) + "late";
}
inline std::string incoming(base::CustomerId customer, base::TrunkId trunk) {
  return slot(customer) + "in:" + std::to_string(trunk.value());
}
inline std::string outgoing(base::CustomerId carrier, base::TrunkId trunk) {
  return slot(carrier) + "out:" + std::to_string(trunk.value());
}
inline std::string incomingRate(base::CustomerId customer, base::TrunkId trunk) {
  return slot(customer) + "cps:in:" + std::to_string(trunk.value());
}
inline std::string outgoingRate(base::CustomerId carrier, base::TrunkId trunk) {
  return slot(carrier) + "cps:out:" + std::to_string(trunk.value());
}
inline std::string leaseMember(base::CustomerId customer, const std::string& call) {
  return std::to_string(customer.value()) + ":" + call;
}

}  // namespace tollgate::billing::keys
