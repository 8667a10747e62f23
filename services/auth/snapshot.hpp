// What auth knows, as one immutable snapshot: which source rows cover an address, their trunks and customers. Any number of threads read
// the same snapshot; tables.hpp makes the next one. Who shares: rows of one network and trunks are shared by all snapshots in which they
// are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/ids.hpp"
#include "libs/digits/ip.hpp"
#include "libs/digits/network_map.hpp"
#include "libs/digits/sources.hpp"
#include "libs/feed/sharded_map.hpp"
#include "services/auth/networks.hpp"

namespace tollgate::auth {

struct Codecs {
  bool pcmu = false;
  bool pcma = false;
  bool g729 = false;
};

struct SourceRow {
  base::SourceRowId id;
  digits::Network network;
  std::uint16_t port = 0;
  bool match_port = false;
  Codecs codecs;
};

struct Trunk {
  base::TrunkId id;
  base::CustomerId customer;
  std::string name;
  digits::Identification identification = digits::Identification::kPrefix;
  std::string tech_prefix;  // empty for peer
  bool enabled = false;
  bool relay_media = false;
  std::vector<SourceRow> sources;  // in the order of the trunk's list
};

struct Customer {
  std::string name;
  bool blocked = false;
};

// A row of a trunk as it hangs on its network.
struct Claim {
  std::shared_ptr<const Trunk> trunk;
  std::size_t row = 0;  // position in trunk->sources
  [[nodiscard]] const SourceRow& source() const { return trunk->sources[row]; }
};

// All rows with exactly one network, sorted by tech prefix: the trunks of one address are told apart by a binary search.
using Claims = std::vector<Claim>;

using SourceMap = digits::NetworkMap<std::shared_ptr<const Claims>>;

struct Snapshot {
  std::uint64_t version = 0;
  std::shared_ptr<const SourceMap> sources;
  feed::ShardedMap<base::TrunkId, std::shared_ptr<const Trunk>> trunks;
  feed::ShardedMap<base::CustomerId, Customer> customers;
  std::shared_ptr<const NetworkList> networks;
};

}  // namespace tollgate::auth
