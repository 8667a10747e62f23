#include "libs/sofia/loop.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <future>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

#include "libs/base/assert.hpp"
#include "libs/sofia/loop_impl.hpp"
#include "libs/sofia/process.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::sofia {
namespace {

// 41 s of 10 ms ticks. Nearly every timer of a call is due within one round of the wheel, so a slot holds few timers of later rounds.
constexpr std::size_t kWheelSlots = 4096;
// A step of Sofia handles about one packet. A turn takes several steps, so that their requests leave as one message of the bus. It takes at
// most this many, because tasks and timers wait during the steps.
constexpr int kStepsPerTurn = 16;
// How long a turn waits for a packet when no timer is armed. A posted task wakes the loop, so this only bounds how late a stop could be
// seen.
constexpr su_duration_t kIdleMilliseconds = 200;

// A task or handler that throws must not end the thread that carries all other calls.
template <class Function>
void guarded(const char* what, const Function& function) noexcept {
  try {
    function();
  } catch (const std::exception& error) {
    telemetry::error("exception on the loop thread", {{"where", what}, {"error", std::string_view(error.what())}});
  } catch (...) {
    telemetry::error("exception on the loop thread", {{"where", what}});
  }
}

// The packet side of the inbox: the tasks themselves run in handleTurn(), after the packets.
int onWakeup(su_root_magic_t* /*magic*/, su_wait_t* /*wait*/, Inbox* inbox) noexcept {
  inbox->drainWakeups();
  return 0;
}

}  // namespace

Inbox::Inbox(std::size_t tasks_max) : tasks_max_(tasks_max), fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  TG_ASSERT(fd_ >= 0);
}

Inbox::~Inbox() {
  ::close(fd_);
}

base::Result<void> Inbox::post(Loop::Task task, bool is_completion) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      return base::fail(base::ErrorCode::kUnavailable, "the loop has stopped");
    }
    if (tasks_.size() >= tasks_max_ && !is_completion) {
      ++refused_;
      return base::fail(base::ErrorCode::kOverLimit, "the inbox of the loop is full");
    }
    was_empty = tasks_.empty();
    tasks_.push_back(std::move(task));
  }
  if (was_empty) {
    wake();
  }
  return {};
}

void Inbox::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);  // it fails only when the descriptor is readable already
}

std::uint64_t Inbox::refused() {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void Inbox::close() {
  std::vector<Loop::Task> dropped;  // destroyed after the lock: a task may own what posts in its destructor
  const std::lock_guard lock(mutex_);
  closed_ = true;
  dropped.swap(tasks_);
}

void Inbox::take(std::vector<Loop::Task>& tasks) {
  const std::lock_guard lock(mutex_);
  tasks_.swap(tasks);
}

void Inbox::drainWakeups() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

Loop::Impl::Impl(const base::Clock& clock_in, LoopOptions options_in)
    : clock(clock_in), options(options_in), inbox(options_in.inbox_max), wheel(options_in.tick, kWheelSlots, clock_in.monotonic()) {}

base::Result<void> Loop::Impl::open() {
  root = su_root_create(nullptr);
  if (root == nullptr) {
    return base::fail(base::ErrorCode::kInternal, std::string("cannot create the SIP event loop: ") + std::strerror(errno));
  }
  su_root_threading(root, 0);  // otherwise Sofia would call us on a thread of its own
  su_wait_t wait[1];
  su_wait_init(wait);
  if (su_wait_create(wait, inbox.fd(), SU_WAIT_IN) < 0 || (wait_index_ = su_root_register(root, wait, onWakeup, &inbox, 0)) < 0) {
    return base::fail(base::ErrorCode::kInternal, "cannot watch the inbox of the SIP event loop");
  }
  return {};
}

void Loop::Impl::close() {
  if (root == nullptr) {
    return;
  }
  if (wait_index_ >= 0) {
    su_root_deregister(root, wait_index_);
    wait_index_ = -1;
  }
  su_root_destroy(root);
  root = nullptr;
}

void Loop::Impl::run(const Setup& setup, const Task& teardown, const std::function<void(base::Result<void>)>& ready) {
  owner.store(std::this_thread::get_id());
  base::Result<void> outcome = open();
  if (outcome && setup) {
    try {
      outcome = setup();
    } catch (const std::exception& error) {
      outcome = base::fail(base::ErrorCode::kInternal, error.what());
    }
  }
  const bool is_running = outcome.has_value();
  ready(std::move(outcome));
  while (is_running && !stopping.load(std::memory_order_acquire)) {
    turn();
  }
  inbox.close();  // first, so that nothing posts to what the teardown destroys
  if (teardown && is_running) {
    guarded("teardown", teardown);
  }
  timer_handler = nullptr;
  turn_end_handler = nullptr;
  close();
  owner.store(std::thread::id());
}

// su_root_run() would not return between packets, but requests are gathered until the end of a turn; so the steps are taken here. The wheel
// is not a Sofia timer, because Sofia walks over all its timers at every step. While a timer is armed, no wait is longer than a tick.
void Loop::Impl::turn() {
  su_duration_t patience = wheel.armed() > 0 ? static_cast<su_duration_t>(options.tick.count()) : kIdleMilliseconds;
  if (turn_end_within_) {
    patience = std::min(patience, static_cast<su_duration_t>(std::chrono::ceil<std::chrono::milliseconds>(*turn_end_within_).count()));
  }
  su_duration_t left = su_root_step(root, patience);
  const auto begin = clock.monotonic();
  for (int step = 1; step < kStepsPerTurn && left == 0; ++step) {
    left = su_root_step(root, 0);
  }
  handleTurn();
  const auto took = static_cast<std::uint64_t>((clock.monotonic() - begin).count());
  stats.longest_turn_micros = std::max(stats.longest_turn_micros, took);
  ++stats.turns;
}

void Loop::Impl::handleTurn() {
  batch_.clear();
  inbox.take(batch_);
  for (Task& task : batch_) {
    guarded("task", task);
  }
  stats.tasks += batch_.size();
  batch_.clear();
  wheel.advance(clock.monotonic(), [this](Key key) {
    if (timer_handler) {
      guarded("timer", [&] { timer_handler(key); });
    }
  });
  if (turn_end_handler) {
    turn_end_within_.reset();
    guarded("turn end", [this] { turn_end_within_ = turn_end_handler(); });
  }
}

base::Result<void> Loop::Impl::start(Setup setup, Task teardown) {
  std::promise<base::Result<void>> started;
  auto outcome = started.get_future();
  thread = std::thread([this, &started, setup = std::move(setup), teardown = std::move(teardown)] {
    run(setup, teardown, [&started](base::Result<void> result) { started.set_value(std::move(result)); });
  });
  auto result = outcome.get();
  if (!result) {
    thread.join();
  }
  return result;
}

void Loop::Impl::stop() {
  stopping.store(true, std::memory_order_release);
  inbox.wake();
  if (owner.load() == std::this_thread::get_id()) {
    return;  // it cannot join itself, nor look at `thread`, which start() may still be writing
  }
  if (thread.joinable()) {
    thread.join();
  }
}

Loop::Loop(const base::Clock& clock, LoopOptions options) : impl_(std::make_unique<Impl>(clock, options)) {}

Loop::~Loop() {
  TG_ASSERT(!isLoopThread());
  impl_->stop();
}

base::Result<void> Loop::start(Setup setup, Task teardown) {
  TG_ASSERT(!impl_->used.exchange(true));
  TG_TRY(prepareProcess());
  return impl_->start(std::move(setup), std::move(teardown));
}

void Loop::stop() {
  impl_->stop();
}

base::Result<void> Loop::post(Task task) {
  return impl_->inbox.post(std::move(task), false);
}

base::Result<void> Loop::postCompletion(Task task) {
  return impl_->inbox.post(std::move(task), true);
}

bool Loop::isLoopThread() const {
  return impl_->owner.load() == std::this_thread::get_id();
}

TimerHandle Loop::arm(std::chrono::milliseconds delay, Key key) {
  TG_ASSERT(isLoopThread());
  return impl_->wheel.arm(impl_->clock.monotonic() + delay, key);
}

bool Loop::cancel(TimerHandle handle) {
  TG_ASSERT(isLoopThread());
  return impl_->wheel.cancel(handle);
}

void Loop::setTimerHandler(std::function<void(Key)> handler) {
  impl_->timer_handler = std::move(handler);
}

void Loop::setTurnEndHandler(TurnEnd handler) {
  impl_->turn_end_handler = std::move(handler);
}

base::MonotonicTime Loop::now() const {
  return impl_->clock.monotonic();
}

const base::Clock& Loop::clock() const {
  return impl_->clock;
}

LoopStats Loop::stats() {
  LoopStats stats = impl_->stats;
  stats.tasks_refused = impl_->inbox.refused();
  stats.timers_armed = impl_->wheel.armed();
  stats.timers_stale = impl_->wheel.stale();
  impl_->stats.longest_turn_micros = 0;
  return stats;
}

}  // namespace tollgate::sofia
