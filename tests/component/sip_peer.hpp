// A SIP phone of a few lines for component tests: a UDP socket, texts out, texts in. Blocks; one thread per object. Failures of the socket
// throw, a message that does not come is a test failure and an empty text.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tollgate::component {

// Value of a header in a message, "" when absent.
inline std::string headerOf(const std::string& message, const std::string& name) {
  const std::string start = "\r\n" + name + ": ";
  const auto at = message.find(start);
  if (at == std::string::npos) {
    return {};
  }
  const auto begin = at + start.size();
  return message.substr(begin, message.find("\r\n", begin) - begin);
}

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

class SipPeer {
 public:
  explicit SipPeer(std::uint16_t other = 0) : other_(other), fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no UDP socket");
    }
    port_ = ntohs(address.sin_port);
  }
  ~SipPeer() { ::close(fd_); }
  SipPeer(const SipPeer&) = delete;
  SipPeer& operator=(const SipPeer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  void send(const std::string& text) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(other_);
    if (::sendto(fd_, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
      throw std::runtime_error("UDP send failed");
    }
  }

  // The next message that begins so (request method or "SIP/2.0 180"); others are passed over.
  [[nodiscard]] std::string expect(std::string_view start, std::chrono::milliseconds limit = std::chrono::seconds(10)) const {
    const auto end = std::chrono::steady_clock::now() + limit;
    std::string seen;
    while (std::chrono::steady_clock::now() < end) {
      const auto text = receive(std::chrono::milliseconds(100));
      if (text && text->starts_with(start)) {
        return *text;
      }
      if (text) {
        seen += " | " + text->substr(0, text->find('\r'));
      }
    }
    ADD_FAILURE() << "no message that starts with " << start << "; seen:" << seen;
    return {};
  }

  [[nodiscard]] std::optional<std::string> receive(std::chrono::milliseconds limit) const {
    pollfd watch{fd_, POLLIN, 0};
    if (::poll(&watch, 1, static_cast<int>(limit.count())) <= 0) {
      return std::nullopt;
    }
    std::string text(70'000, '\0');
    const auto size = ::recv(fd_, text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }

  // A request of a dialog this peer began.
  [[nodiscard]] std::string request(const std::string& method, const std::string& number, int cseq, const std::string& to_tag,
                                    const std::string& body, const std::string& extra = "") const {
    const auto here = "127.0.0.1:" + std::to_string(port_);
    const auto there = "127.0.0.1:" + std::to_string(other_);
    const auto call_id = "c" + std::to_string(port_) + "-" + call_;
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
           "\r\nCSeq: " + headerOf(to, "CSeq") + "\r\nContact: <sip:secret-carrier@127.0.0.1:" + std::to_string(port_) + ">\r\n" +
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
  int fd_;
  std::uint16_t port_ = 0;
  std::string call_ = "1";
};

}  // namespace tollgate::component
