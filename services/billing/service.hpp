// The billing service: makes its components and starts and stops them in order. Threads: the main thread; ready() from any thread.
// Owns: the components.
#pragma once

#include <memory>
#include <mutex>

#include "libs/service/service.hpp"
#include "services/billing/settings.hpp"

namespace tollgate::billing {

class BillingService final : public service::Service {
 public:
  explicit BillingService(Settings settings);
  ~BillingService() override;
  [[nodiscard]] base::Result<void> start(service::Runtime& runtime) override;
  [[nodiscard]] service::Readiness ready() const override;
  void stop() override;

 private:
  struct Components;
  // Passed in.
  const Settings settings_;
  // Owned.
  std::unique_ptr<Components> components_;
  // Derived.
  mutable std::mutex mutex_;  // ready() is called by other threads while stop() runs
  bool serving_ = false;
};

// For main and for tests.
[[nodiscard]] service::Definition definition();

}  // namespace tollgate::billing
