// Which rows of a table a service reads: all of them at a full load, or those of some ids after a change. Many ids are cut into pieces
// that fit into one `IN (...)`, because MySQL plans a very long list badly and a statement has a largest size. Any thread.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libs/base/result.hpp"
#include "libs/feed/feed.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::feed {

class IdFilter {
 public:
  IdFilter() = default;  // every row
  // Requires: 1 to sql::kListMax ids.
  template <class Id>
  explicit IdFilter(std::span<const Id> ids) {
    for (const Id id : ids) {
      values_.emplace_back(id.value());
    }
  }

  // " WHERE <column> IN (?,?)", or nothing for every row: appended to a SELECT.
  [[nodiscard]] std::string where(std::string_view column) const {
    return values_.empty() ? "" : " WHERE " + std::string(column) + " IN (" + sql::marks(values_.size()) + ")";
  }
  // The values of the placeholders.
  [[nodiscard]] const std::vector<sql::Value>& values() const { return values_; }

 private:
  std::vector<sql::Value> values_;
};

// The ids of one entity among the changes.
template <class Id>
[[nodiscard]] std::vector<Id> idsOf(const std::vector<Change>& changes, std::string_view entity) {
  std::vector<Id> ids;
  for (const Change& change : changes) {
    if (change.entity == entity) {
      ids.emplace_back(change.entity_id);
    }
  }
  return ids;
}

// Brings the rows of `ids` up to date, a piece at a time: read(filter, rows) fills in the rows that exist, then set(row) is called for each
// of them and remove(id) for each id without a row. Requires: no id comes twice. Errors: the first of `read`; what was set before stays.
template <class Row, class Id>
[[nodiscard]] base::Result<void> refreshRows(const std::vector<Id>& ids,
                                             const std::function<base::Result<void>(const IdFilter&, std::unordered_map<Id, Row>&)>& read,
                                             const std::function<void(Row)>& set, const std::function<void(Id)>& remove) {
  for (std::size_t at = 0; at < ids.size(); at += sql::kListMax) {
    const auto piece = std::span<const Id>(ids).subspan(at, std::min(sql::kListMax, ids.size() - at));
    std::unordered_map<Id, Row> rows;
    TG_TRY(read(IdFilter(piece), rows));
    for (const Id id : piece) {
      const auto row = rows.find(id);
      if (row == rows.end()) {
        remove(id);
      } else {
        set(std::move(row->second));
      }
    }
  }
  return {};
}

}  // namespace tollgate::feed
