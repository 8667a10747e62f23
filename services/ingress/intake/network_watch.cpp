#include "services/ingress/intake/network_watch.hpp"

#include <utility>
#include <vector>

#include "libs/bus/rpcs_auth.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::ingress {
namespace {

constexpr std::chrono::milliseconds kEagerPoll{50};
constexpr std::chrono::milliseconds kEagerFor{1000};

}  // namespace

NetworkWatch::NetworkWatch(bus::Connection& connection, std::chrono::milliseconds poll, std::chrono::milliseconds timeout, Changed changed)
    : connection_(connection),
      poll_(poll),
      timeout_(timeout),
      changed_(std::move(changed)),
      client_(connection, [](std::function<void()> task) { task(); }, {}) {}

NetworkWatch::~NetworkWatch() {
  stop();
}

base::Result<void> NetworkWatch::start() {
  TG_TRY_ASSIGN(subscription, connection_.subscribe(bus::subjects::kAllConfigChanges, "", [this](const bus::Delivery&) { nudge(); }));
  config_changes_.emplace(std::move(subscription));
  thread_ = std::thread([this] { run(); });
  return {};
}

void NetworkWatch::stop() {
  config_changes_.reset();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void NetworkWatch::nudge() {
  {
    const std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  wake_.notify_all();
}

void NetworkWatch::run() {
  auto eager_until = std::chrono::steady_clock::now();
  for (;;) {
    ask();
    // auth needs a moment to read the change, so one early request would come too soon.
    const bool eager = !has_list_ || std::chrono::steady_clock::now() < eager_until;
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, eager ? std::min(kEagerPoll, poll_) : poll_, [&] { return stopping_ || nudged_; });
    if (stopping_) {
      return;
    }
    if (std::exchange(nudged_, false)) {
      eager_until = std::chrono::steady_clock::now() + kEagerFor;
    }
  }
}

void NetworkWatch::ask() {
  auth::v1::ListNetworksRequest request;
  request.set_known_version(has_list_ ? version_ : 0);
  const auto reply = client_.wait<bus::ListNetworks>("", request, timeout_);
  if (!reply || (reply->unchanged() && has_list_)) {
    return;
  }
  std::vector<digits::Network> networks;
  networks.reserve(static_cast<std::size_t>(reply->networks_size()));
  for (const auto& entry : reply->networks()) {
    if (auto network = digits::Network::parse(entry.cidr())) {
      networks.push_back(*network);
    } else {
      telemetry::error("network of the authorised list is unreadable", {{"network", entry.cidr()}});
    }
  }
  changed_(std::make_shared<const digits::NetworkSet>(digits::makeNetworkSet(networks)));
  version_ = reply->version();
  has_list_ = true;
}

}  // namespace tollgate::ingress
