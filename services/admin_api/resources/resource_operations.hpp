// The operations that every resource has, made from its declaration: list, create, read, put, patch, delete. They are made on the start-up
// thread and run on HTTP worker threads.
#pragma once

#include <vector>

#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/api/operation.hpp"
#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {

// Requires: backend and resource outlive the operations.
[[nodiscard]] std::vector<Operation> operationsOf(const Resource& resource, Backend& backend);

}  // namespace tollgate::admin_api
