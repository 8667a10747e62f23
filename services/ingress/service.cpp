#include "services/ingress/service.hpp"

#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "libs/base/assert.hpp"
#include "libs/bus/records.hpp"
#include "libs/spool/record_spool.hpp"
#include "libs/telemetry/log.hpp"
#include "services/ingress/calls/calls.hpp"
#include "services/ingress/calls/control.hpp"
#include "services/ingress/intake/network_watch.hpp"
#include "services/ingress/intake/pressure.hpp"
#include "services/ingress/records/announcer.hpp"
#include "services/ingress/records/spool_metrics.hpp"

namespace tollgate::ingress {
namespace {

constexpr std::chrono::seconds kHousekeeping{1};
constexpr std::chrono::milliseconds kShutdownLimit{2000};
constexpr std::chrono::milliseconds kStoreLimit{1000};
constexpr std::chrono::milliseconds kFlushLimit{500};
// Role of the housekeeping timer; calls use roles below.
constexpr sofia::Key kHousekeepingKey = PackedKey::pack({0, 1}, 255);
constexpr sofia::Key kReleaseKey = PackedKey::pack({0, 2}, 255);
// At most 2,000 calls a second, so that a long outage of the stream costs calls and billing little.
constexpr std::chrono::milliseconds kReleaseEvery{250};
constexpr std::size_t kReleasesPerTurn = 500;

sofia::AgentOptions agentOptions(const Settings& settings, const std::string& hop_marker) {
  sofia::AgentOptions options;
  for (const auto& listen : settings.listen) {
    const bool same_family =
        (settings.advertised_address.find(':') != std::string::npos) == (listen.address.find(':') != std::string::npos);
    options.listeners.push_back({listen.address, listen.port, same_family ? settings.advertised_address : std::string()});
  }
  options.server_name = settings.server_name;
  // Above max_calls, so that calls beyond it are refused with a record before the stack refuses them without one.
  options.incoming_max = 2 * settings.max_calls + 1000;
  options.retry_after_seconds = settings.retry_after_seconds;
  options.reject_map = settings.policy.reject_map;
  options.hop_marker = hop_marker;
  return options;
}

}  // namespace

struct IngressService::Parts {
  Parts(const Settings& settings, service::Runtime& runtime)
      : metrics(runtime.metrics),
        spool_metrics(runtime.metrics),
        instance(runtime.instance),
        guard({settings.drop_unknown_sources, settings.unknown_source_answers_per_second}),
        loop(clock) {}

  // Loop thread. Ended calls whose records the stream does not take: billing frees their slots (REQUIREMENTS 9.5).
  void releaseUnstored();

  // Any thread. Records are published in their order, at most in_flight_max at a time: so many stored records mean that those of an earlier
  // run are among them.
  [[nodiscard]] bool isReplaying() {
    if (!replay_is_over) {
      const auto stats = spool->stats();
      replay_is_over = stats.unsent == 0 || stats.stored >= stats.replayed + spool::SpoolSettings().in_flight_max;
    }
    return !replay_is_over;
  }

  base::SystemClock clock;
  base::SystemRandom random;
  IngressMetrics metrics;
  SpoolMetrics spool_metrics;
  const std::string instance;
  // The bus, which everything below uses.
  std::unique_ptr<bus::Connection> requests;
  std::unique_ptr<bus::Connection> events;
  std::unique_ptr<bus::RecordPublisher> record_publisher;
  std::mutex stored_mutex;
  std::vector<std::string> stored_ids;  // under stored_mutex; the housekeeping passes them to the report
  std::unique_ptr<spool::RecordSpool> spool;
  // Used by the loop thread only.
  Guard guard;
  sofia::Loop loop;
  std::unique_ptr<EventPublisher> publisher;
  std::unique_ptr<Calls> calls;
  std::unique_ptr<CallReport> report;
  std::unique_ptr<Decisions> decisions;
  std::unique_ptr<sofia::Agent> agent;
  base::MonotonicTime next_summary;
  // With threads of their own.
  std::unique_ptr<NetworkWatch> watch;
  std::unique_ptr<Control> control;
  std::unique_ptr<Announcer> announcer;
  // Read by other threads.
  std::atomic<bool> networks_known{false};
  std::atomic<bool> loop_runs{false};
  std::atomic<std::size_t> live_calls{0};
  std::atomic<bool> is_draining{false};
  std::atomic<bool> replay_is_over{false};
  std::uint16_t sip_port = 0;
};

void IngressService::Parts::releaseUnstored() {
  for (auto& id : report->takeDue(loop.now(), kReleasesPerTurn)) {
    decisions->release(*report->find(id), [this, id](bool done) {
      if (done) {
        report->released(id);
        metrics.released_calls.add();
      }
    });
  }
}

IngressService::IngressService(Settings settings) : settings_(std::move(settings)) {}

IngressService::~IngressService() {
  stop();
}

base::Result<void> IngressService::start(service::Runtime& runtime) {
  parts_ = std::make_unique<Parts>(settings_, runtime);
  auto& parts = *parts_;
  TG_TRY_ASSIGN(requests, bus::Connection::open(settings_.bus, bus::ConnectionKind::kRequests, bus::ExportTo{runtime.metrics, "ingress"}));
  parts.requests = std::move(requests);
  TG_TRY_ASSIGN(events, bus::Connection::open(settings_.bus, bus::ConnectionKind::kEvents, bus::ExportTo{runtime.metrics, "ingress"}));
  parts.events = std::move(events);
  parts.record_publisher = std::make_unique<bus::RecordPublisher>(*parts.events, settings_.record_ack_timeout);
  TG_TRY(openSpool());
  TG_TRY(parts.loop.start([this] { return setUpLoop(); }, [this] { tearDownLoop(); }));
  parts.loop_runs = true;
  parts.watch = std::make_unique<NetworkWatch>(*parts.requests, settings_.networks_poll, settings_.auth_timeout, [this](auto networks) {
    (void)parts_->loop.post([this, networks = std::move(networks)] {
      parts_->guard.setNetworks(networks);
      parts_->networks_known = true;
    });
  });
  TG_TRY(parts.watch->start());
  parts.control = std::make_unique<Control>(*parts.requests, parts.loop, *parts.calls, *parts.report, parts.instance,
                                            [&parts] { return parts.isReplaying(); });
  TG_TRY(parts.control->start());
  TG_TRY_ASSIGN(replaces, takeOverSpool(settings_.spool_dir, parts.instance));
  parts.announcer = std::make_unique<Announcer>(*parts.requests, parts.instance, replaces, [&parts](control::v1::InstanceAlive& alive) {
    alive.set_calls(static_cast<std::uint32_t>(parts.live_calls.load()));
    alive.set_draining(parts.is_draining);
    alive.set_replaying(parts.isReplaying());
  });
  parts.announcer->start();
  return {};
}

base::Result<void> IngressService::openSpool() {
  auto& parts = *parts_;
  spool::SpoolSettings settings;
  settings.directory = settings_.spool_dir;
  settings.disk_bytes_max = settings_.spool_bytes_max;
  TG_TRY_ASSIGN(opened, spool::RecordSpool::open(settings, *parts.record_publisher, [&parts](std::string_view id) {
                  const std::lock_guard lock(parts.stored_mutex);
                  parts.stored_ids.emplace_back(id);
                }));
  parts.spool = std::move(opened);
  return {};
}

// Loop thread, before its first turn. The calls and the agent need each other, so the agent is made last and given to the calls by
// connect().
base::Result<void> IngressService::setUpLoop() {
  auto& parts = *parts_;
  parts.publisher = std::make_unique<EventPublisher>(
      *parts.events,
      [&parts](const std::string& subject, const std::string& id, std::string data) {
        if (const auto kept = parts.spool->append(subject, id, std::move(data)); !kept) {
          parts.metrics.records_lost.add();
          telemetry::error("the record could not be kept", {{"message_id", id}, {"error", kept.error().message}});
        }
      },
      [&parts](const call::CallMachine& machine, const std::string& id) { parts.report->over(machine, id, parts.loop.now()); },
      parts.instance, parts.metrics);
  parts.calls = std::make_unique<Calls>(Calls::Options{settings_.policy, settings_.max_calls, settings_.retry_after_seconds},
                                        Calls::Parts{parts.loop, parts.guard, *parts.publisher, parts.metrics, parts.random});
  parts.report = std::make_unique<CallReport>(parts.calls->table(), parts.instance, settings_.release_after);
  parts.decisions = std::make_unique<Decisions>(
      *parts.requests,
      [&parts](std::function<void()> task) {
        (void)parts.loop.postCompletion(std::move(task));  // refused only when the loop has ended, and with it all calls
      },
      Decisions::Timeouts{settings_.auth_timeout, settings_.routing_timeout, settings_.billing_timeout}, parts.instance, parts.metrics,
      [&parts](CallRef ref, call::Event event) { parts.calls->onDecision(ref, std::move(event)); });
  TG_TRY_ASSIGN(agent, sofia::Agent::create(
                           parts.loop,
                           agentOptions(settings_, settings_.hop_marker.empty() ? base::randomHex(parts.random, 8) : settings_.hop_marker),
                           *parts.calls));
  parts.agent = std::move(agent);
  parts.sip_port = parts.agent->listeners().front().port;
  parts.calls->connect(*parts.agent, *parts.decisions);
  parts.loop.setTimerHandler([this, &parts](sofia::Key key) {
    if (key == kHousekeepingKey) {
      everySecond();
    } else if (key == kReleaseKey) {
      (void)parts.loop.arm(kReleaseEvery, kReleaseKey);
      parts.releaseUnstored();
    } else {
      parts.calls->onTimer(key);
    }
  });
  parts.loop.setTurnEndHandler([&parts] {
    parts.live_calls = parts.calls->table().size();
    parts.is_draining = parts.calls->isDraining();
    return parts.decisions->flush();
  });
  (void)parts.loop.arm(kHousekeeping, kHousekeepingKey);
  (void)parts.loop.arm(kReleaseEvery, kReleaseKey);
  return {};
}

// Loop thread, after its last turn. The calls hold handles of the agent, so they are destroyed before it.
void IngressService::tearDownLoop() {
  auto& parts = *parts_;
  if (parts.calls) {
    parts.calls->clear();
  }
  parts.agent.reset();
  parts.decisions.reset();
}

void IngressService::everySecond() {
  auto& parts = *parts_;
  (void)parts.loop.arm(kHousekeeping, kHousekeepingKey);
  std::vector<std::string> stored;
  {
    const std::lock_guard lock(parts.stored_mutex);
    stored.swap(parts.stored_ids);
  }
  parts.report->forgetStored(stored);
  const bool is_overloaded = isOverloaded({settings_.spool_bytes_max, settings_.unstored_calls_max}, parts.spool->stats(),
                                          parts.calls->table().size(), parts.report->waiting());
  if (is_overloaded != (parts.metrics.overloaded.value() != 0)) {
    telemetry::warn(is_overloaded ? "new calls are refused: the spool is nearly full of records that the stream does not take"
                                  : "new calls are taken again");
    parts.metrics.overloaded.set(is_overloaded ? 1 : 0);
  }
  parts.calls->setOverloaded(is_overloaded);
  parts.metrics.unstored_calls.set(static_cast<double>(parts.report->waiting()));
  parts.metrics.calls.set(static_cast<double>(parts.calls->table().size()));
  parts.spool_metrics.update(parts.spool->stats());
  parts.metrics.report(parts.agent->stats());
  parts.metrics.report(parts.loop.stats());
  if (parts.loop.now() >= parts.next_summary) {
    parts.next_summary = parts.loop.now() + settings_.unknown_source_summary;
    if (const auto unknown_sources = parts.guard.takeSummary(); !unknown_sources.empty()) {
      parts.publisher->publishUnknownSources(unknown_sources, parts.clock.wall(), parts.random);
    }
  }
}

service::Readiness IngressService::ready() const {
  if (!parts_ || !parts_->loop_runs) {
    return {false, "not listening"};
  }
  if (!parts_->requests->isConnected() || !parts_->events->isConnected()) {
    return {false, "the bus is not connected"};
  }
  if (!parts_->networks_known) {
    return {false, "the authorised networks are not known yet"};
  }
  return {true, ""};
}

void IngressService::drain() {
  (void)parts_->loop.post([this] { parts_->calls->startDraining(); });
}

bool IngressService::drained() const {
  return parts_->live_calls == 0 && parts_->spool->unsentCount() == 0;
}

// Every call ends with its record. Those that wait for billing's answer to a reserve or occupy get a moment for it.
void IngressService::endCalls() {
  auto& parts = *parts_;
  for (const bool is_last : {false, true}) {
    const auto recorded = std::make_shared<std::promise<bool>>();  // shared with the task, which may run after the wait has ended
    const auto deadline = std::chrono::steady_clock::now() + (is_last ? kShutdownLimit : settings_.billing_timeout);
    bool all_recorded = false;
    (void)parts.loop.postCompletion([&parts, is_last, recorded] {
      parts.calls->shutDown(is_last);
      recorded->set_value(parts.calls->areAllRecorded());
    });
    auto outcome = recorded->get_future();
    if (outcome.wait_until(deadline) == std::future_status::ready) {
      all_recorded = outcome.get();
    }
    if (all_recorded) {
      return;
    }
    std::this_thread::sleep_until(is_last ? std::chrono::steady_clock::now() : deadline);
  }
}

void IngressService::stop() {
  if (!parts_ || !parts_->loop_runs.exchange(false)) {
    parts_.reset();
    return;
  }
  auto& parts = *parts_;
  endCalls();
  if (parts.control) {
    parts.control->stop();
  }
  if (parts.watch) {
    parts.watch->stop();
  }
  parts.loop.stop();
  // What is not stored by then waits on disk for the next start.
  const bool is_empty = parts.spool->waitUntilStored(kStoreLimit);
  if (parts.announcer) {
    parts.announcer->stop(is_empty);
    (void)parts.requests->flush(kFlushLimit);
  }
  parts.spool->close();
  parts.spool_metrics.update(parts.spool->stats());
  parts_.reset();
}

std::uint16_t IngressService::sipPort() const {
  return parts_->sip_port;
}

service::Definition definition() {
  return {
      "ingress", "receives calls from customers' switches and places them with carriers",
      [](config::Loader& loader) -> std::unique_ptr<service::Service> { return std::make_unique<IngressService>(readSettings(loader)); }};
}

}  // namespace tollgate::ingress
