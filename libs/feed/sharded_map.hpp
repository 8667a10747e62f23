// A big table that is changed a row at a time and published whole: MasterMap belongs to the feed's thread, ShardedMap is what a snapshot
// holds. Publishing copies the pointers to the shards; the first change to a shard after that copies this one shard, so that one change
// among 100,000 rows costs some ten microseconds and readers never see it happen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace tollgate::feed {

template <class Key, class Value>
class MasterMap;

// Immutable; any number of threads.
template <class Key, class Value>
class ShardedMap {
 public:
  using Shard = std::unordered_map<Key, Value>;

  // nullptr = no such row. The pointer lives as long as this map.
  [[nodiscard]] const Value* find(const Key& key) const {
    if (shards_.empty()) {
      return nullptr;
    }
    const Shard& shard = *shards_[shardOf(key)];
    const auto row = shard.find(key);
    return row == shard.end() ? nullptr : &row->second;
  }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend class MasterMap<Key, Value>;
  static constexpr std::size_t kShardBits = 10;
  static constexpr std::size_t kShards = std::size_t{1} << kShardBits;
  // Ids run in sequence, so they are spread by a multiplication (Knuth) and not by their low bits.
  [[nodiscard]] static std::size_t shardOf(const Key& key) {
    return static_cast<std::size_t>(static_cast<std::uint64_t>(std::hash<Key>{}(key)) * 0x9e3779b97f4a7c15ULL >> (64U - kShardBits));
  }

  std::vector<std::shared_ptr<const Shard>> shards_;  // shared with later and earlier snapshots in which the shard is the same
  std::size_t size_ = 0;
};

// The table as the feed's thread changes it. One thread.
template <class Key, class Value>
class MasterMap {
 public:
  MasterMap() { clear(); }

  void clear() {
    shards_.assign(Map::kShards, nullptr);
    for (auto& shard : shards_) {
      shard = std::make_shared<Shard>();
    }
    published_.assign(Map::kShards, false);
    size_ = 0;
  }
  [[nodiscard]] const Value* find(const Key& key) const {
    const Shard& shard = *shards_[Map::shardOf(key)];
    const auto row = shard.find(key);
    return row == shard.end() ? nullptr : &row->second;
  }
  void set(const Key& key, Value value) { size_ += own(Map::shardOf(key)).insert_or_assign(key, std::move(value)).second ? 1U : 0U; }
  void erase(const Key& key) {
    if (find(key) != nullptr) {
      size_ -= own(Map::shardOf(key)).erase(key);
    }
  }
  [[nodiscard]] std::size_t size() const { return size_; }

  // Shards in the hands of readers are not changed any more: the next change copies.
  [[nodiscard]] ShardedMap<Key, Value> publish() {
    ShardedMap<Key, Value> map;
    map.shards_.assign(shards_.begin(), shards_.end());
    map.size_ = size_;
    published_.assign(Map::kShards, true);
    return map;
  }

 private:
  using Map = ShardedMap<Key, Value>;
  using Shard = typename Map::Shard;

  Shard& own(std::size_t at) {
    if (published_[at]) {
      shards_[at] = std::make_shared<Shard>(*shards_[at]);
      published_[at] = false;
    }
    return *shards_[at];
  }

  std::vector<std::shared_ptr<Shard>> shards_;  // shared with the snapshots once published
  std::vector<bool> published_;
  std::size_t size_ = 0;
};

}  // namespace tollgate::feed
