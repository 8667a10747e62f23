// SIP messages as plain values without Sofia types: what the owner of calls reads of received messages, and what it sends. All text is
// copied, so a value may outlive its message. There is no field without a reader, because its copy would cost every call. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::sofia {

// The methods that are treated differently; all others are kOther.
enum class Method : std::uint8_t { kOther, kInvite, kAck, kCancel, kBye, kOptions, kInfo, kUpdate, kRefer };

struct HostPort {
  std::string address{};  // IP literal, IPv6 without brackets; names are refused
  std::uint16_t port = 5060;
};

// Where a packet came from, according to the socket (the Via may say anything).
struct Source {
  std::array<std::uint8_t, 16> address{};  // IPv4 in the first 4 bytes
  bool is_ipv6 = false;
  std::uint16_t port = 0;
  std::size_t listener = 0;                       // index into AgentOptions::listeners
  [[nodiscard]] std::string addressText() const;  // 192.0.2.1, 2001:db8::1
  [[nodiscard]] HostPort hostPort() const { return {addressText(), port}; }
};

struct Header {
  std::string name{};
  std::string value{};  // one line; sending refuses CR, LF and NUL
};
using Headers = std::vector<Header>;

struct Body {
  std::string type{};  // Content-Type without parameters, lower case; "" = no body
  std::string text{};
};
inline constexpr std::string_view kSdpType = "application/sdp";

// An INVITE that begins a call.
struct InviteIn {
  Source source{};
  std::string call_id{};
  std::string scheme{};       // of the Request-URI: sip, sips, tel ...
  std::string called_user{};  // of the Request-URI, unescaped, without password; for tel the number
  std::string caller_user{};  // of From, in the same form
  int max_forwards = -1;      // -1 = absent
  // Hops of ours that this request has already passed: Via entries beyond the first with an address of our listeners, and our hop marker.
  // Above 0 it loops (REQUIREMENTS 4.5).
  int own_hops = 0;
  std::vector<std::string> require{};  // option tags
  Body body{};
};

// Who made a response.
enum class Origin : std::uint8_t {
  kNetwork,    // the other side
  kTimeout,    // our stack: nothing came in time (status 408)
  kTransport,  // our stack: the request could not be sent, or the port is unreachable (status 503)
};

// A response to an INVITE of ours. 100 is delivered too, because it ends the try timeout.
struct ResponseIn {
  int status = 0;
  Origin origin = Origin::kNetwork;
  Body body{};
};

// A reply to a received request. The Agent adds Contact (101-299 to INVITE, UPDATE), Allow (2xx to INVITE, UPDATE, OPTIONS; 405),
// Server and the tag.
struct Reply {
  int status = 0;
  std::string phrase{};         // "" = the usual one
  Headers headers{};            // e.g. {"Reason", base::reasonHeader(...)}
  int retry_after_seconds = 0;  // 0 = none
  Body body{};
};

// The INVITE of a new outgoing leg. Call-ID, tags, CSeq, Via and Contact are made by the Agent and show nothing of the incoming side
// (REQUIREMENTS 6.1).
struct InviteOut {
  HostPort destination{};     // next hop, UDP
  std::size_t listener = 0;   // source socket
  std::string called_user{};  // Request-URI and To user; escaped by the Agent
  std::string uri_params{};   // REQUIREMENTS 2.13, e.g. "user=phone"; "" = none
  std::string caller_user{};  // From user; "" = anonymous (From: "Anonymous" <sip:anonymous@anonymous.invalid>, RFC 3323)
  int max_forwards = 70;
  Body body{};
};

}  // namespace tollgate::sofia
