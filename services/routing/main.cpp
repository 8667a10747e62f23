#include "libs/service/service.hpp"
#include "services/routing/service.hpp"
#include "services/routing/settings.hpp"

int main(int argc, char** argv) {
  using namespace tollgate;
  return service::run(
      argc, argv,
      {.name = "routing", .summary = "where a call may go: dialpeers and rules to carriers in order", .make = [](config::Loader& loader) {
         return std::make_unique<routing::RoutingService>(routing::readSettings(loader));
       }});
}
