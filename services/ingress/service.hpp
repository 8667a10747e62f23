// The ingress as a service: makes the parts, joins them, drains and stops them (REQUIREMENTS 6.9). Owns all of them. Main thread; ready()
// and drained() any thread after start().
#pragma once

#include <memory>

#include "libs/service/service.hpp"
#include "services/ingress/settings.hpp"

namespace tollgate::ingress {

class IngressService final : public service::Service {
 public:
  explicit IngressService(Settings settings);
  ~IngressService() override;

  [[nodiscard]] base::Result<void> start(service::Runtime& runtime) override;
  [[nodiscard]] service::Readiness ready() const override;
  void drain() override;
  [[nodiscard]] bool drained() const override;
  void stop() override;

  // Port really bound by the first listener. Requires: after start().
  [[nodiscard]] std::uint16_t sipPort() const;

 private:
  struct Parts;
  [[nodiscard]] base::Result<void> openSpool();
  [[nodiscard]] base::Result<void> setUpLoop();
  void tearDownLoop();
  void endCalls();
  void everySecond();

  // Passed in.
  const Settings settings_;
  // Owned.
  std::unique_ptr<Parts> parts_;
};

// The service's definition for service::run().
[[nodiscard]] service::Definition definition();

}  // namespace tollgate::ingress
