// Events and records of calls (REQUIREMENTS 10.2): call.* as Protobuf on the bus. Records (answered, ended, rejected, unknown_sources) go
// to `store`, which keeps them on disk until the stream has them; the others are published once. Loop thread only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/random.hpp"
#include "libs/bus/connection.hpp"
#include "libs/call/machine.hpp"
#include "services/ingress/intake/guard.hpp"
#include "services/ingress/metrics.hpp"
#include "tollgate/call/v1/call.pb.h"

namespace tollgate::ingress {

class EventPublisher {
 public:
  using StoreRecord = std::function<void(std::string subject, std::string message_id, std::string data)>;
  // After a call's last record was handed to the store.
  using Ended = std::function<void(const call::CallMachine&, const std::string& message_id)>;

  EventPublisher(bus::Connection& events, StoreRecord store, Ended ended, std::string instance, IngressMetrics& metrics);

  void publish(const call::CallMachine& machine, const call::Publish& action, base::WallTime at);
  void publishUnknownSources(const std::vector<UnknownSourceCount>& unknown_sources, base::WallTime at, base::Random& random);

 private:
  void fillHeader(call::v1::EventHeader& header, const call::CallMachine& machine, const call::Publish& action, base::WallTime at);
  void publishStarted(const call::CallMachine& machine, const call::Publish& action, base::WallTime at);
  void publishRouted(const call::CallMachine& machine, const call::Publish& action, base::WallTime at);
  void publishAttempted(const call::CallMachine& machine, const call::Publish& action, base::WallTime at);
  void publishRinging(const call::CallMachine& machine, const call::Publish& action, base::WallTime at);
  template <class Message>
  void storeRecord(Message& message, std::string_view verb, const call::CallMachine& machine, const call::Publish& action,
                   base::WallTime at);
  void send(std::string_view verb, base::TrunkId trunk, const google::protobuf::MessageLite& message);

  // Passed in.
  bus::Connection& events_;
  StoreRecord store_;
  Ended ended_;
  const std::string instance_;
  IngressMetrics& metrics_;
  // Owned. Cleared and used again, which costs half as much as new ones.
  call::v1::CallStarted started_;
  call::v1::CallRouted routed_;
  call::v1::CallAttempted attempted_;
  call::v1::CallRinging ringing_;
  call::v1::CallAnswered answered_;
  call::v1::CallEnded ended_message_;
  call::v1::CallRejected rejected_;
  std::string buffer_;
};

// One info line per call that is over (STYLE 29).
void logCall(const call::CallMachine& machine);

}  // namespace tollgate::ingress
