#include "libs/service/signals.hpp"

#include <csignal>
#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "libs/base/assert.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::service {

namespace {
constexpr int kSignalsBeforeForce = 2;
constexpr int kExitBySignal = 128;

sigset_t stopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}
}  // namespace

Signals::Signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  const sigset_t set = stopSignals();
  TG_ASSERT(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  signal_handle_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  stop_handle_ = ::eventfd(0, EFD_CLOEXEC);
  TG_ASSERT(signal_handle_ >= 0 && stop_handle_ >= 0);
  thread_ = std::thread([this] { take(); });
}

Signals::~Signals() {
  const std::uint64_t one = 1;
  TG_ASSERT(::write(stop_handle_, &one, sizeof one) == sizeof one);
  thread_.join();
  ::close(signal_handle_);
  ::close(stop_handle_);
}

void Signals::startingIsOver() {
  const std::lock_guard lock(mutex_);
  is_starting_ = false;
}

bool Signals::wait(int count, std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [&] { return count_ >= count; });
}

void Signals::take() {
  pollfd entries[2] = {{signal_handle_, POLLIN, 0}, {stop_handle_, POLLIN, 0}};
  while (true) {
    if (::poll(entries, 2, -1) < 0) {
      continue;
    }
    if (entries[1].revents != 0) {
      return;
    }
    signalfd_siginfo info = {};
    if (::read(signal_handle_, &info, sizeof info) == sizeof info) {
      arrived(static_cast<int>(info.ssi_signo));
    }
  }
}

void Signals::arrived(int number) {
  bool is_forced = false;
  {
    const std::lock_guard lock(mutex_);
    ++count_;
    is_forced = is_starting_ || count_ > kSignalsBeforeForce;
  }
  changed_.notify_all();
  telemetry::info("signal", {{"number", static_cast<std::int64_t>(number)}, {"forced", is_forced}});
  if (is_forced) {
    telemetry::stopLogging();
    ::_exit(kExitBySignal + number);
  }
}

}  // namespace tollgate::service
