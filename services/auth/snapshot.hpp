// What auth knows, as one immutable snapshot: which source rows cover an address, their trunks and customers.
//
// Thread: any number of threads read the same snapshot; tables.hpp makes the next one. The rows of one network, and trunks, are shared by
// all snapshots in which they are the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "libs/base/codec.hpp"
#include "libs/base/ids.hpp"
#include "libs/digits/ip.hpp"
#include "libs/digits/network_map.hpp"
#include "libs/digits/sources.hpp"
#include "libs/feed/customers.hpp"
#include "libs/feed/rows.hpp"
#include "services/auth/networks.hpp"

namespace tollgate::auth {

struct SourceRow {
  base::SourceRowId id;
  digits::Network network;
  std::uint16_t port = 0;
  bool match_port = false;
  base::CodecSet codecs;
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

using Customer = feed::Customer;

// One source row together with its trunk.
struct TrunkSource {
  std::shared_ptr<const Trunk> trunk;  // shared with the snapshots and with the trunk's other rows
  std::size_t position = 0;            // in trunk->sources
  [[nodiscard]] const SourceRow& row() const { return trunk->sources[position]; }
};

// All source rows that have the same network, sorted by tech prefix, so that a binary search finds the trunk of a call.
using NetworkSources = std::vector<TrunkSource>;

// Which source rows cover an address.
using SourceMap = digits::NetworkMap<std::shared_ptr<const NetworkSources>>;

struct Snapshot {
  std::uint64_t version = 0;  // of the configuration
  std::shared_ptr<const SourceMap> sources;
  feed::PublishedRows<base::TrunkId, std::shared_ptr<const Trunk>> trunks;
  feed::PublishedCustomers customers;
  std::shared_ptr<const NetworkList> networks;
};

}  // namespace tollgate::auth
