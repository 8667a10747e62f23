// Reading the rows that changed: ids cut into pieces that fit one `IN (...)`. Any thread.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::feed {

inline constexpr std::size_t kIdsPerQuery = 500;

// For each piece: read(placeholders, values, ids), placeholders as in "(?,?,?)". Stops at the first Error.
template <class Id, std::invocable<const std::string&, const std::vector<sql::Value>&, std::span<const Id>> Read>
[[nodiscard]] base::Result<void> inChunks(const std::vector<Id>& ids, Read read) {
  for (std::size_t at = 0; at < ids.size(); at += kIdsPerQuery) {
    const auto piece = std::span<const Id>(ids).subspan(at, std::min(kIdsPerQuery, ids.size() - at));
    std::string placeholders = "(?";
    std::vector<sql::Value> values;
    for (const Id id : piece) {
      placeholders += values.empty() ? "" : ",?";
      values.emplace_back(id.value());
    }
    TG_TRY(read(placeholders + ")", values, piece));
  }
  return {};
}

}  // namespace tollgate::feed
