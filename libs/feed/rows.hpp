// The rows of a large table. Each published snapshot must stay as it is while single rows change. Copying 100,000 rows for each change
// would take milliseconds, so the rows are divided into 1,024 shards: publishing copies the pointers to the shards, and the first change of
// a shard after that copies this one shard. One change among 100,000 rows costs some ten microseconds, and readers take no lock.
//
// WorkingRows holds the rows as the feed's thread changes them: one thread. PublishedRows holds the rows of one snapshot: immutable, any
// number of threads; it shares its shards with the snapshots before and after it in which they are the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tollgate::feed {

template <class Key, class Row>
class WorkingRows;

template <class Key, class Row>
class PublishedRows {
 public:
  using Shard = std::unordered_map<Key, Row>;

  // nullptr = no such row. The pointer is valid as long as these rows.
  [[nodiscard]] const Row* find(const Key& key) const {
    if (shards_.empty()) {
      return nullptr;
    }
    const Shard& shard = *shards_[shardOf(key)];
    const auto found = shard.find(key);
    return found == shard.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend class WorkingRows<Key, Row>;
  static constexpr std::size_t kShardBits = 10;
  static constexpr std::size_t kShards = std::size_t{1} << kShardBits;
  // Ids run in sequence, so they are spread by a multiplication (Knuth) and not by their low bits.
  [[nodiscard]] static std::size_t shardOf(const Key& key) {
    return static_cast<std::size_t>(static_cast<std::uint64_t>(std::hash<Key>{}(key)) * 0x9e3779b97f4a7c15ULL >> (64U - kShardBits));
  }

  std::vector<std::shared_ptr<const Shard>> shards_;  // shared with later and earlier snapshots in which the shard is the same
  std::size_t size_ = 0;
};

template <class Key, class Row>
class WorkingRows {
 public:
  WorkingRows() { clear(); }

  void clear() {
    shards_.assign(Published::kShards, nullptr);
    for (auto& shard : shards_) {
      shard = std::make_shared<Shard>();
    }
    is_published_.assign(Published::kShards, false);
    size_ = 0;
  }
  [[nodiscard]] const Row* find(const Key& key) const {
    const Shard& shard = *shards_[Published::shardOf(key)];
    const auto found = shard.find(key);
    return found == shard.end() ? nullptr : &found->second;
  }
  void set(const Key& key, Row row) { size_ += writable(Published::shardOf(key)).insert_or_assign(key, std::move(row)).second ? 1U : 0U; }
  void erase(const Key& key) {
    if (find(key) != nullptr) {
      size_ -= writable(Published::shardOf(key)).erase(key);
    }
  }
  [[nodiscard]] std::size_t size() const { return size_; }

  // The rows as they are now. A later change copies the shard it is in.
  [[nodiscard]] PublishedRows<Key, Row> publish() {
    PublishedRows<Key, Row> rows;
    rows.shards_.assign(shards_.begin(), shards_.end());
    rows.size_ = size_;
    is_published_.assign(Published::kShards, true);
    return rows;
  }

 private:
  using Published = PublishedRows<Key, Row>;
  using Shard = typename Published::Shard;

  // The shard, copied first when a snapshot has it.
  Shard& writable(std::size_t at) {
    if (is_published_[at]) {
      shards_[at] = std::make_shared<Shard>(*shards_[at]);
      is_published_[at] = false;
    }
    return *shards_[at];
  }

  std::vector<std::shared_ptr<Shard>> shards_;  // shared with the snapshots once published
  std::vector<bool> is_published_;
  std::size_t size_ = 0;
};

}  // namespace tollgate::feed
