// A SIP phone of a few lines for component tests, on the UDP socket of the testkit. Blocks; one thread per object.
#pragma once

#include <cstdint>
#include <string>

#include "libs/testkit/udp_peer.hpp"

namespace tollgate::component {

using testkit::headerOf;

inline std::string bodyOf(const std::string& message) {
  const auto at = message.find("\r\n\r\n");
  return at == std::string::npos ? std::string() : message.substr(at + 4);
}

// The URI between < and > of a header.
inline std::string uriOf(const std::string& header) {
  const auto from = header.find('<');
  const auto to = header.find('>');
  return from == std::string::npos || to == std::string::npos ? header : header.substr(from + 1, to - from - 1);
}

inline std::string sdp(const std::string& owner, const std::string& formats = "0 8 101") {
  return "v=0\r\no=" + owner + " 1 1 IN IP4 10.1.2.3\r\ns=" + owner + "\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP " +
         formats + "\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:18 G729/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
}

class SipPeer : public testkit::UdpPeer {
 public:
  explicit SipPeer(std::uint16_t other = 0) : other_(other) {}

  void send(const std::string& text) const { testkit::UdpPeer::send(text, other_); }

  // A request of a dialog this peer began.
  [[nodiscard]] std::string request(const std::string& method, const std::string& number, int cseq, const std::string& to_tag,
                                    const std::string& body, const std::string& extra = "") const {
    const auto here = "127.0.0.1:" + std::to_string(port());
    const auto there = "127.0.0.1:" + std::to_string(other_);
    const auto call_id = "c" + std::to_string(port()) + "-" + call_;
    // The ACK of a failure and a CANCEL belong to the INVITE's transaction.
    const bool of_invite = method == "INVITE" || method == "CANCEL";
    const auto branch = "z9hG4bK" + call_id + (of_invite ? "-inv" : "-" + method) + std::to_string(cseq);
    return method + " sip:" + number + "@" + there + " SIP/2.0\r\nVia: SIP/2.0/UDP " + here + ";branch=" + branch +
           ";rport\r\nFrom: <sip:37410000001@" + here + ">;tag=caller\r\nTo: <sip:" + number + "@" + there + ">" +
           (to_tag.empty() ? "" : ";tag=" + to_tag) + "\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(cseq) + " " + method +
           "\r\nContact: <sip:caller@" + here + ">\r\nMax-Forwards: 70\r\n" + extra +
           (body.empty() ? "" : "Content-Type: application/sdp\r\n") + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  // A response to a request this peer received.
  [[nodiscard]] std::string response(const std::string& to, int status, const std::string& body = "") const {
    const bool tagged = headerOf(to, "To").find(";tag=") != std::string::npos;
    return "SIP/2.0 " + std::to_string(status) + " Whatever\r\nVia: " + headerOf(to, "Via") + "\r\nFrom: " + headerOf(to, "From") +
           "\r\nTo: " + headerOf(to, "To") + (tagged ? "" : ";tag=carrier") + "\r\nCall-ID: " + headerOf(to, "Call-ID") +
           "\r\nCSeq: " + headerOf(to, "CSeq") + "\r\nContact: <sip:secret-carrier@127.0.0.1:" + std::to_string(port()) + ">\r\n" +
           (body.empty() ? "" : "Content-Type: application/sdp\r\n") + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  void answerTo(std::uint16_t port) { other_ = port; }
  void newCall(std::string name) { call_ = std::move(name); }
  // The tag the other side put on To.
  [[nodiscard]] static std::string toTag(const std::string& message) {
    const auto to = headerOf(message, "To");
    const auto at = to.find(";tag=");
    return at == std::string::npos ? std::string() : to.substr(at + 5);
  }

 private:
  std::uint16_t other_;
  std::string call_ = "1";
};

}  // namespace tollgate::component
