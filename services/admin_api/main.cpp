#include "libs/service/service.hpp"
#include "services/admin_api/service.hpp"
#include "services/admin_api/settings.hpp"

int main(int argc, char** argv) {
  using namespace tollgate;
  return service::run(
      argc, argv,
      {.name = "admin_api",
       .summary = "REST API: configuration, payments, live calls, call records, route tests",
       .make = [](config::Loader& loader) { return std::make_unique<admin_api::AdminService>(admin_api::readSettings(loader)); }});
}
