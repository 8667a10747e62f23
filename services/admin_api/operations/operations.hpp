// The operations of the API that are no plain resource. Declared on the start-up thread; they run on the HTTP server's worker threads.
#pragma once

#include <vector>

#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/api/operation.hpp"

namespace tollgate::admin_api {

// customers/{id}/payments, balance, ledger (REQUIREMENTS 1.8)
[[nodiscard]] std::vector<Operation> moneyOperations(Backend& backend);
// calls: live (REQUIREMENTS 10.4), hang up (REQUIREMENTS 6.8)
[[nodiscard]] std::vector<Operation> callOperations(Backend& backend);
// cdrs (REQUIREMENTS 10.1, 10.3)
[[nodiscard]] std::vector<Operation> cdrOperations(Backend& backend);
// dead-records: list, read, replay (REQUIREMENTS 10.7)
[[nodiscard]] std::vector<Operation> deadLetterOperations(Backend& backend);
// route-tests (REQUIREMENTS 10.6)
[[nodiscard]] std::vector<Operation> routeTestOperations(Backend& backend);
// whoami, reject-map (7), openapi.json
[[nodiscard]] std::vector<Operation> infoOperations();

// Everything under /v1. The backend must outlive it.
[[nodiscard]] std::vector<Operation> allOperations(Backend& backend);

// Component schemas that the operations above name, by name.
[[nodiscard]] Json moneySchemas();
[[nodiscard]] Json callSchemas();
[[nodiscard]] Json cdrSchemas();
[[nodiscard]] Json deadLetterSchemas();
[[nodiscard]] Json routeTestSchemas();
[[nodiscard]] Json infoSchemas();

// The OpenAPI 3.1 document of a list of operations.
[[nodiscard]] Json openApiDocument(const std::vector<Operation>& operations);

}  // namespace tollgate::admin_api
