#include "services/billing/records/record_reader.hpp"

#include "libs/base/ids.hpp"

namespace tollgate::billing {

namespace {

template <class Message>
bool parse(const bus::Record& record, Message& message) {
  return message.ParseFromArray(record.data().data(), static_cast<int>(record.data().size()));
}

// CallEnded and CallRejected have the same fields.
template <class Message>
std::optional<cdr::FinishedCall> readFinishedAs(const bus::Record& record) {
  Message message;
  if (!parse(record, message) || !base::CallId::parse(message.header().call_id()).isSet()) {
    return std::nullopt;
  }
  cdr::FinishedCall call;
  call.header.Swap(message.mutable_header());
  call.record.Swap(message.mutable_record());
  return call;
}

}  // namespace

std::string_view verbOf(std::string_view subject) {
  constexpr std::string_view kHead = "tg.evt.call.v1.";
  if (!subject.starts_with(kHead)) {
    return {};
  }
  subject.remove_prefix(kHead.size());
  return subject.substr(0, subject.find('.'));
}

std::optional<cdr::FinishedCall> readFinished(const bus::Record& record) {
  const std::string_view verb = verbOf(record.subject());
  if (verb == "ended") {
    return readFinishedAs<call::v1::CallEnded>(record);
  }
  return verb == "rejected" ? readFinishedAs<call::v1::CallRejected>(record) : std::nullopt;
}

std::optional<call::v1::CallAnswered> readAnswered(const bus::Record& record) {
  call::v1::CallAnswered answered;
  if (verbOf(record.subject()) != "answered" || !parse(record, answered)) {
    return std::nullopt;
  }
  return answered;
}

std::optional<call::v1::UnknownSources> readUnknownSources(const bus::Record& record) {
  call::v1::UnknownSources summary;
  if (verbOf(record.subject()) != "unknown_sources" || !parse(record, summary) || summary.header().call_id().empty()) {
    return std::nullopt;
  }
  return summary;
}

}  // namespace tollgate::billing
