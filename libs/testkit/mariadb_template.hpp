// A prepared MariaDB data folder, made once per machine and user, and copied for every server: a server that starts from a copy is ready in
// a fraction of a second. Thread: any, in any number of processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::testkit {

// Makes the template when there is none yet for this server version and these migrations, and copies it to `folder`.
// Errors: std::runtime_error.
void copyMariaDbTemplate(const std::string& folder);

[[nodiscard]] std::vector<std::string> mariaDbCommand(const std::string& data, const std::string& socket, std::uint16_t port);

}  // namespace tollgate::testkit
