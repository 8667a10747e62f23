// One client's connection at the gate and the request that is under way on it. The gate's thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "libs/base/handle.hpp"
#include "libs/http/head.hpp"

namespace tollgate::http {

struct GateClient {
  enum class Phase {
    kHead,       // reading the head, or waiting for the next request
    kBody,       // reading the rest of the body
    kAnswer,     // handed on: writing to the inner side, passing the answer back
    kRefused,    // our own answer is being written, then kLingering
    kLingering,  // answer written: what still comes is thrown away, so that the client gets to read it
    kClosed,
  };

  static constexpr std::uint32_t kNotWatched = ~0U;

  // Owned.
  base::Handle client;
  base::Handle inner;
  // Derived.
  std::uint64_t id = 0;
  Phase phase = Phase::kHead;
  std::string remote;
  std::string in;        // from the client, not used yet
  std::string to_inner;  // what is left to hand on
  std::string out;       // what is left to write to the client
  RequestHead head;
  bool is_answer_whole = false;
  bool has_answer = false;
  std::chrono::steady_clock::time_point deadline;
  std::uint32_t client_interest = kNotWatched;
  std::uint32_t inner_interest = kNotWatched;
};

}  // namespace tollgate::http
