// A prepared MariaDB data folder, made once per machine and user and copied by every test: starting from it takes a fraction of a
// second. Any thread, any process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::testkit {

// Makes the template when there is none yet for this server version and these migrations, and copies it to `folder`.
// Throws std::runtime_error.
void copyMariaDbTemplate(const std::string& folder);

[[nodiscard]] std::vector<std::string> mariaDbCommand(const std::string& data, const std::string& socket, std::uint16_t port);

}  // namespace tollgate::testkit
