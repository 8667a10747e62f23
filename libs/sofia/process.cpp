#include "libs/sofia/process.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <string_view>

#include <dlfcn.h>

#include "libs/sofia/sofia_api.hpp"
#include "libs/telemetry/log.hpp"

struct sres_resolver_s;
struct stun_mini_s;

// libsofia's hook for its clock.
extern "C" void (*_su_time)(su_time_t*);

// These definitions win over libsofia's own, because it calls them through its PLT and the executable comes first in the lookup.
extern "C" {

// nta yields from inside its timer after every fifth retransmission; packets handled there reset the clock the timer is using, and server
// transactions of live calls expire early (libs/sofia/TRAPS.md 1.3). It also makes callbacks re-entrant. So this function does nothing.
__attribute__((used, visibility("default"))) int su_root_yield(su_root_t* /*root*/) {
  return 0;
}

// nta must never resolve a name (it aborts on odd DNS answers, libs/sofia/TRAPS.md 1.5). Our API takes IP literals only, but nta itself
// sends ACK and BYE to the Contact of a forked 2xx. Without a resolver such a request fails inside nta.
__attribute__((used, visibility("default"))) sres_resolver_s* sres_resolver_create(su_root_t* /*root*/, const char* /*conf*/,
                                                                                   tag_type_t /*tag*/, tag_value_t /*value*/, ...) {
  return nullptr;
}

// The tport layer answers STUN from any address on the SIP port, and prints a line to stderr for each packet. Tollgate needs no STUN, so
// this function does nothing (libs/sofia/TRAPS.md 1.13).
__attribute__((used, visibility("default"))) void stun_mini_request(stun_mini_s* /*mini*/, su_socket_t /*socket*/, void* /*message*/,
                                                                    ssize_t /*size*/, void* /*from*/, socklen_t /*from_size*/) {}

}  // extern "C"

namespace tollgate::sofia {
namespace {

// The variables that the library and its log levels read.
constexpr std::array kVariables = {
    "SU_DEBUG",    "NTA_DEBUG",         "TPORT_DEBUG", "NUA_DEBUG",         "SOA_DEBUG",    "NEA_DEBUG",  "NTH_DEBUG",
    "STUN_DEBUG",  "SRESOLV_DEBUG",     "SRES_DEBUG",  "IPTSEC_DEBUG",      "SOFIA_DEBUG",  "SHOW_DEBUG", "TPORT_LOG",
    "TPORT_DUMP",  "TPORT_DUMP_IMPORT", "TPORT_SSL",   "MSG_STREAM_LOG",    "MSG_DUMP",     "SIPCOMPACT", "SIP_UDP_CONNECT",
    "STUN_SERVER", "HOSTADDRESS",       "HOSTADDR6",   "SIGCOMP_ALGORITHM", "SRESOLV_CONF", "SU_PORT",    "PIMIW_HACK",
};

void toOurLog(void* /*stream*/, const char* format, va_list arguments) noexcept {
  std::array<char, 512> text{};
  const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
  if (length <= 0) {
    return;
  }
  std::string_view line(text.data());
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
    line.remove_suffix(1);
  }
  try {
    telemetry::warn("message of the SIP stack", {{"text", line}});
  } catch (...) {
  }
}

base::Result<void> proveOverride(const char* name, const void* ours) {
  if (dlsym(RTLD_DEFAULT, name) != ours) {
    return base::fail(base::ErrorCode::kInternal, std::string("this executable does not override ") + name +
                                                      " of libsofia-sip-ua: link libs/sofia before it and do not hide the symbol");
  }
  return {};
}

// Sofia's clock in steps of 10 ms (libs/sofia/TRAPS.md 1.17). Sofia waits for a timer in whole milliseconds, rounded down, so with a finer
// clock it polls without waiting for the last part of a millisecond before each timer: with ten timers per call that was half of the loop's
// time.
void roundDown(su_time_t* time) noexcept {
  constexpr unsigned long kStepMicros = 10'000;
  time->tv_usec -= time->tv_usec % kStepMicros;
}

base::Result<void> prepareOnce() {
  scrubEnvironment();
  if (Dl_info where{}; dladdr(reinterpret_cast<const void*>(_su_time), &where) == 0 || where.dli_fname == nullptr ||
                       std::string_view(where.dli_fname).find("libsofia-sip-ua") != std::string_view::npos) {
    _su_time = roundDown;  // the library's own hook does nothing; a test may have set another one
  }
  TG_TRY(proveOverride("su_root_yield", reinterpret_cast<const void*>(&su_root_yield)));
  TG_TRY(proveOverride("sres_resolver_create", reinterpret_cast<const void*>(&sres_resolver_create)));
  TG_TRY(proveOverride("stun_mini_request", reinterpret_cast<const void*>(&stun_mini_request)));
  su_init();
  su_log_redirect(nullptr, toOurLog, nullptr);
  su_log_set_level(nullptr, 1);
  return {};
}

}  // namespace

void scrubEnvironment() {
  for (const char* name : kVariables) {
    ::unsetenv(name);
  }
}

base::Result<void> prepareProcess() {
  static const base::Result<void> outcome = prepareOnce();  // su_init() must not run twice
  return outcome;
}

}  // namespace tollgate::sofia
