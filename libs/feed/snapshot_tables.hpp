// Tables from which immutable snapshots are published. A service derives its tables from this and says how a snapshot is made.
//
// Thread: current() from any thread, everything else on the feed's thread. Owns the snapshot in force and the one before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "libs/base/published.hpp"
#include "libs/feed/feed.hpp"
#include "libs/telemetry/log.hpp"

namespace tollgate::feed {

// Requires: SnapshotType has a member `version`.
template <class SnapshotType>
class SnapshotTables : public Tables {
 public:
  using Snapshot = SnapshotType;
  // Called with each new snapshot just before it is in force, and how long it took to make.
  using Handler = std::function<void(const Snapshot&, std::chrono::steady_clock::duration)>;

  // Requires: called before the feed starts.
  void onPublish(Handler handler) { on_publish_ = std::move(handler); }

  // nullptr before the first load.
  [[nodiscard]] std::shared_ptr<const Snapshot> current() const { return current_.load(); }
  // Since the start: rows read from MySQL that break a rule and were skipped.
  [[nodiscard]] std::size_t rowsRefused() const { return rows_refused_; }

  void publish(std::uint64_t version) final {
    const auto began = std::chrono::steady_clock::now();
    std::shared_ptr<Snapshot> next = makeSnapshot();
    next->version = version;
    if (on_publish_) {
      on_publish_(*next, std::chrono::steady_clock::now() - began);
    }
    previous_ = current_.exchange(next);
    published(*next);
  }

  // The requests that were answered from the previous snapshot have ended by now.
  void settled() final { previous_ = nullptr; }

 protected:
  [[nodiscard]] virtual std::shared_ptr<Snapshot> makeSnapshot() = 0;
  // Called when the snapshot is in force.
  virtual void published(const Snapshot& /*snapshot*/) {}

  // A row that breaks a rule is logged, counted and skipped, so that it cannot keep the other rows from being used.
  void refuseRow(std::string_view table, std::int64_t id) {
    ++rows_refused_;
    telemetry::warn("a row breaks a rule and was skipped", {{"table", table}, {"row", id}});
  }

 private:
  // Passed in.
  Handler on_publish_;
  // Owned.
  base::Published<Snapshot> current_;  // shared with the requests being answered from it
  // Kept for one round of the feed, so that freeing a large snapshot takes the feed's time and not a request's.
  std::shared_ptr<const Snapshot> previous_;
  std::size_t rows_refused_ = 0;
};

}  // namespace tollgate::feed
