// Announces this instance every two seconds (tg.evt.ingress.v1.alive.<instance>), so that billing knows who may hold calls (REQUIREMENTS
// 9.5), and keeps its name beside the spool: a process that starts on the same spool names the one that it replaces.
//
// Threads: start() and stop() from the main thread; one thread of its own does the rest. Owns: that thread.
#pragma once

#include <functional>
#include <string>

#include "libs/base/result.hpp"
#include "libs/base/worker.hpp"
#include "libs/bus/connection.hpp"
#include "tollgate/control/v1/control.pb.h"

namespace tollgate::ingress {

// Reads the name of the instance that used the spool's directory before, and writes this one's. Empty when there was none.
// Errors: kInternal: the file cannot be read or written.
[[nodiscard]] base::Result<std::string> takeOverSpool(const std::string& directory, const std::string& instance);

class Announcer {
 public:
  // Fills calls, draining and replaying; called on the announcer's thread, and by stop().
  using Fill = std::function<void(control::v1::InstanceAlive&)>;

  Announcer(bus::Connection& connection, std::string instance, std::string replaces, Fill fill);
  ~Announcer() { stop(false); }
  Announcer(const Announcer&) = delete;
  Announcer& operator=(const Announcer&) = delete;

  void start();
  // `for_good`: no call is left and every record is stored; the last message says so. A second call does nothing.
  void stop(bool for_good);

 private:
  void announce(bool stopped);

  // Passed in.
  bus::Connection& connection_;
  const std::string instance_;
  const std::string replaces_;
  const Fill fill_;
  // Owned; last, because its thread uses the others.
  base::Worker worker_;
};

}  // namespace tollgate::ingress
