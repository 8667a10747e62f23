// Changes of configuration. Each is one transaction: it takes the next version first (so changes run one after another
// and a rule that looks at other rows cannot be broken by a race), then checks, writes the row and its line in config_changes, commits, and
// publishes the event. A refused change leaves nothing behind and takes no version. Worker threads of the HTTP server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {

enum class SaveMode : std::uint8_t { kPost, kPut, kPatch };

struct Preconditions {
  std::string if_match;  // header values, empty = not given
  std::string if_none_match;
};

struct SaveRequest {
  SaveMode mode = SaveMode::kPost;
  std::int64_t id = 0;         // of the path; 0 with POST
  std::int64_t parent_id = 0;  // of the path
  Json body;
  Preconditions preconditions;
  std::string author;
};

struct Saved {
  Json document;
  bool created = false;
};

// PUT creates or replaces, POST creates, PATCH merges (RFC 7396; nested rows are replaced as a whole). Saving what is
// already stored changes nothing, and the revision stays.
[[nodiscard]] Outcome<Saved> save(Backend& backend, const Resource& resource, const SaveRequest& request);

[[nodiscard]] Outcome<void> erase(Backend& backend, const Resource& resource, std::int64_t parent_id, std::int64_t id,
                                  const Preconditions& preconditions, const std::string& author);

}  // namespace tollgate::admin_api
