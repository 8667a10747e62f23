// Preloaded into a service under test: its wall clock is TEST_CLOCK_SKEW_SECONDS off, as on a host whose clock is wrong. Steady time is
// right. Waits until a wall time are moved back, because the kernel's clock is right too. Any thread; owns nothing.
#include <cstdlib>
#include <ctime>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/time.h>

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

time_t skew() {
  static const time_t seconds = [] {
    const char* text = std::getenv("TEST_CLOCK_SKEW_SECONDS");
    return text == nullptr ? 0 : static_cast<time_t>(std::strtol(text, nullptr, 10));
  }();
  return seconds;
}

// Steady times count from the start of the machine, so only a wall time is as large as this.
bool isWallTime(const timespec& time) {
  constexpr time_t kYear2001 = 1'000'000'000;
  return time.tv_sec > kYear2001;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) {
  static auto* const real = next<int(clockid_t, timespec*)>("clock_gettime");
  const int result = real(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    time->tv_sec += skew();
  }
  return result;
}

int gettimeofday(timeval* time, void* zone) {
  static auto* const real = next<int(timeval*, void*)>("gettimeofday");
  const int result = real(time, zone);
  if (result == 0 && time != nullptr) {
    time->tv_sec += skew();
  }
  return result;
}

time_t time(time_t* to) {
  timespec now{};
  static_cast<void>(clock_gettime(CLOCK_REALTIME, &now));
  if (to != nullptr) {
    *to = now.tv_sec;
  }
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  static auto* const real = next<int(pthread_cond_t*, pthread_mutex_t*, const timespec*)>("pthread_cond_timedwait");
  timespec moved = *until;
  if (isWallTime(moved)) {
    moved.tv_sec -= skew();
  }
  return real(condition, mutex, &moved);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  static auto* const real = next<int(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*)>("pthread_cond_clockwait");
  timespec moved = *until;
  if (clock == CLOCK_REALTIME) {
    moved.tv_sec -= skew();
  }
  return real(condition, mutex, clock, &moved);
}

}  // extern "C"
