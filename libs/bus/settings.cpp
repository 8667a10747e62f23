#include "libs/bus/settings.hpp"

namespace tollgate::bus {

ConnectionSettings readSettings(config::Loader& loader, std::string_view client_name) {
  ConnectionSettings settings;
  settings.url = loader.text("nats_url", "nats://127.0.0.1:4222", "where the bus is; several servers with commas between");
  settings.user = loader.text("nats_user", "", "the service's own NATS user");
  settings.password = loader.secret("nats_password", "password of nats_user");
  settings.ca_file = loader.text("nats_ca_file", "", "CA of the bus; given = TLS with host name check");
  settings.name = client_name;
  if (settings.url.rfind("nats://", 0) != 0 && settings.url.rfind("tls://", 0) != 0) {
    loader.refuse("nats_url", "must begin with nats:// or tls://");
  }
  return settings;
}

}  // namespace tollgate::bus
