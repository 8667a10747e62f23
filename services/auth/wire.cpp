#include "services/auth/wire.hpp"

namespace tollgate::auth {
namespace {

void addCodecs(const Codecs& codecs, auth::v1::Identified& identified) {
  if (codecs.pcmu) {
    identified.add_codecs(common::v1::CODEC_PCMU);
  }
  if (codecs.pcma) {
    identified.add_codecs(common::v1::CODEC_PCMA);
  }
  if (codecs.g729) {
    identified.add_codecs(common::v1::CODEC_G729);
  }
}

}  // namespace

Question toQuestion(const auth::v1::AuthorizeRequest& request) {
  Question question;
  question.source_address = request.source_address();
  question.source_port = request.source_port() <= UINT16_MAX ? static_cast<std::uint16_t>(request.source_port()) : std::uint16_t{0};
  question.called = request.called();
  question.caller = request.caller();
  question.dry_run_trunk = base::TrunkId(request.dry_run_trunk_id());
  return question;
}

auth::v1::AuthorizeReply toReply(const Question& question, const Answer& answer) {
  auth::v1::AuthorizeReply reply;
  if (answer.customer.isSet()) {
    auto& identified = *reply.mutable_identified();
    identified.set_customer_id(answer.customer.value());
    identified.set_trunk_id(answer.trunk.value());
    identified.set_source_row_id(answer.source_row.value());
    identified.set_called(answer.called);
    identified.set_caller(std::string(question.caller));
    identified.set_tech_prefix(answer.tech_prefix);
    identified.set_relay_media(answer.relay_media);
    addCodecs(answer.codecs, identified);
  }
  if (answer.refusal) {
    reply.mutable_refusal()->set_reason(static_cast<common::v1::Reason>(answer.refusal->reason));
    reply.mutable_refusal()->set_detail(answer.refusal->detail);
  }
  for (const auto& line : answer.trace) {
    auto& step = *reply.add_trace();
    step.set_stage("auth");
    step.set_check(std::string(line.check));
    step.set_found(line.found);
    step.set_passed(line.passed);
  }
  return reply;
}

auth::v1::ListNetworksReply toReply(const NetworkList& list) {
  auth::v1::ListNetworksReply reply;
  reply.set_version(list.version);
  for (const auto& network : list.networks) {
    reply.add_networks()->set_cidr(network.text());
  }
  return reply;
}

auth::v1::ListNetworksReply unchangedReply(std::uint64_t version) {
  auth::v1::ListNetworksReply reply;
  reply.set_version(version);
  reply.set_unchanged(true);
  return reply;
}

}  // namespace tollgate::auth
