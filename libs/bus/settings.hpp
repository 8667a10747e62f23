// The declared settings of the connection to NATS: one name and one default in every service. Start-up thread only.
#pragma once

#include <string_view>

#include "libs/bus/connection.hpp"
#include "libs/config/loader.hpp"

namespace tollgate::bus {

// nats_url, nats_user, nats_password_file, nats_ca_file. `client_name` is what the NATS server shows for the connection.
// Errors: a wrong value is an error of loader.finish(); its default is returned meanwhile.
[[nodiscard]] ConnectionSettings readSettings(config::Loader& loader, std::string_view client_name);

}  // namespace tollgate::bus
