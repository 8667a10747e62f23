#include "services/ingress/intake/network_watch.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"
#include "tollgate/auth/v1/auth.rpc.h"

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
  TG_TRY_ASSIGN(subscription, connection_.subscribe(bus::subjects::kAllConfigChanges, "", [this](const bus::Delivery&) {
    config_changed_ = true;
    worker_.wake();
  }));
  config_changes_.emplace(std::move(subscription));
  worker_.start("network_watch", [this] { run(); });
  return {};
}

void NetworkWatch::stop() {
  config_changes_.reset();
  worker_.stop();
}

void NetworkWatch::run() {
  auto eager_until = std::chrono::steady_clock::now();
  bool eager = false;
  do {
    if (config_changed_.exchange(false)) {
      eager_until = std::chrono::steady_clock::now() + kEagerFor;
    }
    ask();
    // auth needs a moment to read the change, so a single request now would come too soon.
    eager = !has_list_ || std::chrono::steady_clock::now() < eager_until;
  } while (worker_.waitFor(eager ? std::min(kEagerPoll, poll_) : poll_));
}

void NetworkWatch::ask() {
  auth::v1::ListNetworksRequest request;
  request.set_known_version(has_list_ ? version_ : 0);
  const auto reply = client_.wait<auth::v1::Auth::ListNetworks>("", request, timeout_);
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
