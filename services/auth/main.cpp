#include "libs/service/service.hpp"
#include "services/auth/service.hpp"
#include "services/auth/settings.hpp"

int main(int argc, char** argv) {
  using namespace tollgate;
  return service::run(argc, argv,
                      {.name = "auth",
                       .summary = "who is calling: source address and tech prefix to trunk and customer",
                       .make = [](config::Loader& loader) { return std::make_unique<auth::AuthService>(auth::readSettings(loader)); }});
}
