#include "services/auth/wire.hpp"

#include "libs/wire/wire.hpp"

namespace tollgate::auth {
AuthorizeQuery toQuery(const auth::v1::AuthorizeRequest& request) {
  AuthorizeQuery query;
  query.source_address = request.source_address();
  query.source_port = request.source_port() <= UINT16_MAX ? static_cast<std::uint16_t>(request.source_port()) : std::uint16_t{0};
  query.called = request.called();
  query.caller = request.caller();
  query.dry_run_trunk = base::TrunkId(request.dry_run_trunk_id());
  return query;
}

auth::v1::AuthorizeReply toReply(const AuthorizeQuery& query, const AuthorizeDecision& decision) {
  auth::v1::AuthorizeReply reply;
  if (decision.customer.isSet()) {
    auto& identified = *reply.mutable_identified();
    identified.set_customer_id(decision.customer.value());
    identified.set_trunk_id(decision.trunk.value());
    identified.set_source_row_id(decision.source_row.value());
    identified.set_called(decision.called);
    identified.set_caller(std::string(query.caller));
    identified.set_tech_prefix(decision.tech_prefix);
    identified.set_relay_media(decision.relay_media);
    wire::addCodecs(decision.codecs, *identified.mutable_codecs());
  }
  if (decision.refusal) {
    *reply.mutable_refusal() = wire::toWire(*decision.refusal);
  }
  wire::addTrace(decision.trace, *reply.mutable_trace());
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
