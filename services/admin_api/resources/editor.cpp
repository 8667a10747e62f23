#include "services/admin_api/resources/editor.hpp"

#include "libs/bus/subjects.hpp"
#include "libs/telemetry/log.hpp"
#include "services/admin_api/resources/store.hpp"
#include "tollgate/config/v1/config.pb.h"

namespace tollgate::admin_api {
namespace {

// The result of a change: what is written to config_changes, unless nothing was changed.
struct Effect {
  Saved saved;
  bool changed = true;
  std::int64_t id = 0;
  Json before;  // null for a new one
  Json after;   // null for a deleted one
};

using Work = std::function<Outcome<Effect>(Change&)>;

bool matches(const std::string& header, std::int64_t revision) {
  return header == "*" || header.find('"' + std::to_string(revision) + '"') != std::string::npos;
}

Outcome<void> checkPreconditions(const Preconditions& preconditions, const Json* before) {
  if (!preconditions.if_match.empty() && (before == nullptr || !matches(preconditions.if_match, integerOf(*before, "revision")))) {
    return refuse(412,
                  before == nullptr ? "there is nothing to match If-Match"
                                    : "someone else has changed it: its revision is now " + std::to_string(integerOf(*before, "revision")),
                  "", "11.1");
  }
  if (!preconditions.if_none_match.empty() && before != nullptr && matches(preconditions.if_none_match, integerOf(*before, "revision"))) {
    return refuse(412, "it exists already", "", "11.1");
  }
  return {};
}

Outcome<void> checkFixed(const Resource& resource, const Json& before, const Json& after) {
  for (const auto& field : resource.fields) {
    if (field.fixed && before.value(field.name, Json()) != after.value(field.name, Json())) {
      return invalid(field.name, field.rule, "is fixed at creation and cannot be changed");
    }
  }
  return {};
}

// Takes the next version; its row lock makes configuration transactions run one after another.
base::Result<std::int64_t> takeVersion(sql::Session& session) {
  TG_TRY(session.execute("UPDATE config_state SET version = version + 1 WHERE id = 1", {}));
  TG_TRY_ASSIGN(rows, session.query("SELECT version FROM config_state WHERE id = 1", {}));
  if (rows.empty()) {
    return base::fail(base::ErrorCode::kInternal, "config_state has no row: apply the migrations of deploy/mysql");
  }
  return rows.front().integer(0);
}

base::Result<void> recordChange(Change& change, const Resource& resource, std::int64_t version, const Effect& effect) {
  const auto text = [](const Json& document) { return document.is_null() ? sql::Value(nullptr) : sql::Value(document.dump()); };
  TG_TRY(change.session.execute(
      "INSERT INTO config_changes (version, entity, entity_id, action, author, at, before_json, after_json) VALUES (?,?,?,?,?,?,?,?)",
      {version, resource.entity, effect.id, std::string(effect.after.is_null() ? "deleted" : "saved"), change.author,
       sql::fromTime(change.now), text(effect.before), text(effect.after)}));
  return {};
}

// The services also read config_changes every second, so an event that is lost is only logged.
void announce(Backend& backend, const Resource& resource, std::int64_t version, const Effect& effect, const std::string& author) {
  config::v1::ConfigChanged event;
  event.set_version(static_cast<std::uint64_t>(version));
  event.set_entity(resource.entity);
  event.set_entity_id(effect.id);
  event.set_action(effect.after.is_null() ? config::v1::ACTION_DELETED : config::v1::ACTION_SAVED);
  event.set_author(author);
  const auto sent = backend.connection.publish(bus::subjects::configChanged(resource.entity), event.SerializeAsString());
  if (!sent) {
    telemetry::warn("config.changed was not sent", {{"error", std::string_view(sent.error().message)}});
  }
}

Outcome<Effect> change(Backend& backend, const Resource& resource, const std::string& author, const Work& work) {
  std::optional<Outcome<Effect>> verdict;
  std::int64_t version = 0;
  const auto committed = backend.pool.transaction<void>([&](sql::Session& session) -> base::Result<void> {
    verdict.reset();
    TG_TRY_ASSIGN(taken, takeVersion(session));
    version = taken;
    Change running{session, author, backend.clock.wall()};
    verdict = work(running);
    if (!verdict->has_value() || !(*verdict)->changed) {
      return base::fail(base::ErrorCode::kInvalid, "nothing to commit");  // rolls back, the version too
    }
    return recordChange(running, resource, version, **verdict);
  });
  if (committed) {
    announce(backend, resource, version, **verdict, author);
    return std::move(*verdict);
  }
  if (verdict && (!verdict->has_value() || !(*verdict)->changed)) {
    return std::move(*verdict);
  }
  return tl::unexpected(asRefused(committed.error()));
}

// What is stored under the id, or nothing. A row of another parent is a conflict for PUT and not found for every other method.
Outcome<std::optional<Json>> loadBefore(Change& running, const Resource& resource, std::int64_t id, std::int64_t parent_id, bool is_put) {
  if (!resource.parent_column.empty()) {
    TG_PASS_ASSIGN(parent_exists, exists(running.session, resource.parent_table, parent_id));
    if (!parent_exists) {
      return notFound("there is no " + resource.parent_noun + " " + std::to_string(parent_id));
    }
  }
  if (id == 0) {
    return std::optional<Json>();
  }
  TG_PASS_ASSIGN(before, loadOne(running.session, resource, id));
  const bool elsewhere = before && !resource.parent_column.empty() && integerOf(*before, resource.parent_column) != parent_id;
  if (elsewhere && is_put) {
    return conflict("id", "11.1", "the id belongs to a " + resource.noun + " of another " + resource.parent_noun);
  }
  return elsewhere ? std::optional<Json>() : std::move(before);
}

std::string missing(const Resource& resource, std::int64_t id) {
  return "there is no " + resource.noun + " " + std::to_string(id);
}

Outcome<std::int64_t> chosenId(const SaveRequest& request, const Json& input) {
  const auto in_body = integerOf(input, "id");
  if (request.mode != SaveMode::kPost && in_body != 0 && in_body != request.id) {
    return invalid("id", "11.1", "differs from the id in the path");
  }
  return request.mode == SaveMode::kPost ? in_body : request.id;
}

Json merge(const Json* before, const Json& input) {
  Json after = before == nullptr ? Json::object() : *before;
  for (const auto& [name, value] : input.items()) {
    after[name] = value;
  }
  return after;
}

Outcome<Effect> write(Change& running, const Resource& resource, std::int64_t id, std::int64_t parent_id, std::optional<Json> before,
                      const Json& after) {
  Effect effect;
  effect.id = id;
  effect.before = before ? *before : Json();
  effect.saved.created = !before;
  if (before) {
    TG_PASS(updateOne(running, resource, id, *before, after));
  } else {
    TG_PASS_ASSIGN(new_id, insertOne(running, resource, id, parent_id, after));
    effect.id = new_id;
  }
  TG_PASS_ASSIGN(stored, loadOne(running.session, resource, effect.id));
  if (!stored) {
    return tl::unexpected(asRefused({base::ErrorCode::kInternal, "what was written cannot be read"}));
  }
  effect.after = *stored;
  effect.saved.document = std::move(*stored);
  return effect;
}

Outcome<Effect> saveInside(Change& running, const Resource& resource, const SaveRequest& request, const Json& input, std::int64_t id) {
  TG_PASS_ASSIGN(before, loadBefore(running, resource, id, request.parent_id, request.mode == SaveMode::kPut));
  const Json* old = before ? &*before : nullptr;
  if (request.mode == SaveMode::kPatch && old == nullptr) {
    return notFound(missing(resource, id));
  }
  TG_PASS(checkPreconditions(request.preconditions, old));
  if (request.mode == SaveMode::kPost && old != nullptr) {
    return conflict("id", "11.1", "there is a " + resource.noun + " " + std::to_string(id) + " already");
  }
  auto after = merge(old, input);
  after["id"] = id;
  if (!resource.parent_column.empty()) {
    after[resource.parent_column] = request.parent_id;
  }
  if (old != nullptr) {
    TG_PASS(checkFixed(resource, *old, after));
    if (sameContent(resource, *old, after)) {
      return Effect{{*old, false}, false, id, {}, {}};
    }
  }
  if (resource.check) {
    TG_PASS(resource.check(running, old, after));
  }
  if (old != nullptr && sameContent(resource, *old, after)) {
    return Effect{{*old, false}, false, id, {}, {}};
  }
  return write(running, resource, id, request.parent_id, std::move(before), after);
}

}  // namespace

Outcome<Saved> save(Backend& backend, const Resource& resource, const SaveRequest& request) {
  const auto completeness = request.mode == SaveMode::kPatch ? Completeness::kPartial : Completeness::kFull;
  TG_PASS_ASSIGN(input, readInput(resource, request.body, completeness));
  TG_PASS_ASSIGN(id, chosenId(request, input));
  TG_PASS_ASSIGN(effect, change(backend, resource, request.author,
                                [&](Change& running) -> Outcome<Effect> { return saveInside(running, resource, request, input, id); }));
  return std::move(effect.saved);
}

Outcome<void> erase(Backend& backend, const Resource& resource, std::int64_t parent_id, std::int64_t id, const Preconditions& preconditions,
                    const std::string& author) {
  if (resource.ask_before_delete) {
    TG_PASS(resource.ask_before_delete(backend, id));
  }
  const auto done = change(backend, resource, author, [&](Change& running) -> Outcome<Effect> {
    TG_PASS_ASSIGN(before, loadBefore(running, resource, id, parent_id, false));
    if (!before) {
      return notFound(missing(resource, id));
    }
    TG_PASS(checkPreconditions(preconditions, &*before));
    if (resource.check_delete) {
      TG_PASS(resource.check_delete(running, *before));
    }
    TG_PASS(deleteOne(running, resource, id));
    return Effect{{}, true, id, *before, Json()};
  });
  TG_PASS(done);
  return {};
}

}  // namespace tollgate::admin_api
