// Plain views of SIP messages and the parameters of those we send: no Sofia types, all text copied. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::sofia {

enum class Method : std::uint8_t {
  kUnknown,
  kInvite,
  kAck,
  kCancel,
  kBye,
  kOptions,
  kRegister,
  kInfo,
  kPrack,
  kUpdate,
  kMessage,
  kSubscribe,
  kNotify,
  kRefer,
  kPublish
};
[[nodiscard]] std::string_view methodName(Method method) noexcept;  // "" for kUnknown

struct HostPort {
  std::string address{};  // IP literal, IPv6 without brackets; names are refused
  std::uint16_t port = 5060;
};

// Where a packet really came from (the socket's word, not the Via's).
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
  std::string value{};  // one line; CR, LF and NUL are refused when sending
};
using Headers = std::vector<Header>;
// First one of that name (case does not matter), "" when absent.
[[nodiscard]] std::string_view findHeader(const Headers& headers, std::string_view name) noexcept;

struct Uri {
  std::string scheme{};  // sip, sips, tel ...
  std::string user{};    // unescaped, without password; for tel: the number
  std::string host{};
  std::uint16_t port = 0;  // 0 = none given
  std::string params{};    // "user=phone;transport=udp", without the leading semicolon
};

struct Party {
  std::string display{};  // without quotes
  Uri uri{};
  std::string tag{};
};

struct Body {
  std::string type{};  // Content-Type without parameters, lower case; "" = no body
  std::string text{};
};
inline constexpr std::string_view kSdpType = "application/sdp";

// A request that came in.
struct RequestIn {
  Source source{};
  Method method = Method::kUnknown;
  std::string method_name{};
  std::string call_id{};
  std::uint32_t cseq = 0;
  Uri request_uri{};
  Party from{};
  Party to{};
  std::string contact{};  // URI of the first Contact, "" = none
  int max_forwards = -1;  // -1 = absent
  // Hops of ours this request has already passed: Via entries beyond the first with an address of our listeners, and our hop marker.
  // Above 0 = loop (REQUIREMENTS 4.5).
  int own_hops = 0;
  std::vector<std::string> supported{};  // option tags
  std::vector<std::string> require{};
  // As received, when present: P-Asserted-Identity, P-Preferred-Identity, Remote-Party-ID, Privacy, Diversion, History-Info, Reason,
  // Session-Expires, Min-SE, User-Agent.
  Headers headers{};
  Body body{};
};

// Who made a response.
enum class Origin : std::uint8_t {
  kNetwork,    // the other side
  kTimeout,    // our stack: nothing came in time (status 408)
  kTransport,  // our stack: could not be sent, port unreachable (status 503)
};

// A response to a request of ours. 100 is delivered too (it ends the try timeout).
struct ResponseIn {
  Method method = Method::kUnknown;  // of the request
  std::uint32_t cseq = 0;
  int status = 0;
  std::string phrase{};
  Origin origin = Origin::kNetwork;
  std::string to_tag{};
  std::string contact{};               // URI of the first Contact
  std::uint32_t rseq = 0;              // 0 = not a reliable provisional
  std::vector<std::string> require{};  // option tags
  Headers headers{};                   // when present: Reason, Retry-After, Warning, P-Asserted-Identity, Session-Expires, Server
  Body body{};
};

// A reply to a request that came in. Contact (101-299 to INVITE, UPDATE), Allow (2xx to INVITE, UPDATE, OPTIONS; 405), Server and
// the tag are added by the Agent.
struct Reply {
  int status = 0;
  std::string phrase{};         // "" = the usual one
  Headers headers{};            // e.g. {"Reason", base::reasonHeader(...)}
  int retry_after_seconds = 0;  // 0 = none
  Body body{};
};

// The INVITE of a new outgoing leg. Call-ID, tags, CSeq, Via and Contact are made here and show nothing of the incoming side (REQUIREMENTS
// 6.1).
struct InviteOut {
  HostPort destination{};     // next hop, UDP
  std::size_t listener = 0;   // source socket
  std::string called_user{};  // Request-URI and To user; escaped here
  std::string uri_params{};   // REQUIREMENTS 2.13, e.g. "user=phone"; "" = none
  std::string caller_user{};  // From user; "" = anonymous (From: "Anonymous" <sip:anonymous@anonymous.invalid>, RFC 3323)
  std::string caller_display{};
  int max_forwards = 70;
  Headers headers{};
  Body body{};
};

// A request inside a dialog: BYE, INFO, UPDATE, re-INVITE, PRACK ...
struct RequestOut {
  Method method = Method::kBye;
  Headers headers{};
  Body body{};
};

// A request outside any dialog, e.g. OPTIONS to poll an endpoint.
struct OutsideOut {
  Method method = Method::kOptions;
  HostPort destination{};
  std::size_t listener = 0;
  std::string user{};  // Request-URI and To user, "" = none
  Headers headers{};
  Body body{};
};

}  // namespace tollgate::sofia
