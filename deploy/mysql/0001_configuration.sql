-- The configuration. Ids are chosen by the caller or assigned. `revision` rises with every change (the ETag of the API). Times are UTC.
-- Runs unchanged on MySQL 8 and MariaDB 10.11.

CREATE TABLE customers (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(128) NOT NULL,
  country CHAR(2) NOT NULL,
  email VARCHAR(254) NULL,
  phone VARCHAR(32) NULL,
  currency CHAR(3) NOT NULL DEFAULT 'USD',
  billing_type VARCHAR(16) NOT NULL,               -- prepaid, postpaid
  credit_line_micros BIGINT NOT NULL DEFAULT 0,
  unlimited TINYINT NOT NULL DEFAULT 0,
  overdraft_allowed TINYINT NOT NULL DEFAULT 0,
  overdraft_limit_micros BIGINT NOT NULL DEFAULT 0,
  status VARCHAR(16) NOT NULL DEFAULT 'active',    -- active, blocked
  revision BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  KEY customers_by_name (name)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE rate_plans (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(128) NOT NULL,
  currency CHAR(3) NOT NULL DEFAULT 'USD',
  scope VARCHAR(16) NOT NULL,                      -- customer, vendor; fixed at creation (REQUIREMENTS 8.1)
  revision BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE rates (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  plan_id BIGINT NOT NULL,
  prefix VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  description VARCHAR(128) NOT NULL DEFAULT '',
  valid_from DATETIME(6) NOT NULL,
  valid_to DATETIME(6) NULL,                       -- exclusive; NULL = open
  per_minute_micros BIGINT NOT NULL,
  connection_fee_micros BIGINT NOT NULL DEFAULT 0,
  connection_seconds INT NOT NULL DEFAULT 0,
  billing_block_seconds INT NOT NULL DEFAULT 1,
  revision BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  UNIQUE KEY rates_by_prefix (plan_id, prefix, valid_from),
  CONSTRAINT rates_plan FOREIGN KEY (plan_id) REFERENCES rate_plans (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE trunks (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id BIGINT NOT NULL,
  name VARCHAR(128) NOT NULL,
  identification VARCHAR(16) NOT NULL DEFAULT 'prefix',   -- prefix, peer, registration (REQUIREMENTS 2.2)
  tech_prefix VARCHAR(6) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  rate_plan_id BIGINT NULL,                        -- prices the incoming side (customer plan)
  vendor_rate_plan_id BIGINT NULL,                 -- prices the outgoing side (vendor plan)
  max_concurrent_incoming INT NULL DEFAULT 10,     -- 0 = direction off, NULL = no limit
  max_concurrent_outgoing INT NULL DEFAULT 0,
  max_cps_incoming INT NULL,
  max_cps_outgoing INT NULL,
  unified_caller VARCHAR(32) NOT NULL DEFAULT '',
  request_uri_parameter VARCHAR(64) NOT NULL DEFAULT '',
  outgoing_group INT NOT NULL DEFAULT 0,
  next_trunk_id BIGINT NULL,
  relay_media TINYINT NOT NULL DEFAULT 0,
  try_timeout_ms INT NOT NULL DEFAULT 4000,
  ringing_timeout_seconds INT NOT NULL DEFAULT 90,
  status VARCHAR(16) NOT NULL DEFAULT 'enabled',   -- enabled, disabled
  revision BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  KEY trunks_by_customer (customer_id),
  CONSTRAINT trunks_customer FOREIGN KEY (customer_id) REFERENCES customers (id),
  CONSTRAINT trunks_rate_plan FOREIGN KEY (rate_plan_id) REFERENCES rate_plans (id),
  CONSTRAINT trunks_vendor_rate_plan FOREIGN KEY (vendor_rate_plan_id) REFERENCES rate_plans (id),
  CONSTRAINT trunks_next_trunk FOREIGN KEY (next_trunk_id) REFERENCES trunks (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE trunk_sources (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  trunk_id BIGINT NOT NULL,
  position INT NOT NULL,
  network VARCHAR(49) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,   -- normal form address/length, hosts as /32 or /128
  port INT NOT NULL DEFAULT 5060,
  match_port TINYINT NOT NULL DEFAULT 0,
  codecs VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'PCMU,PCMA',
  note VARCHAR(255) NOT NULL DEFAULT '',
  KEY trunk_sources_by_trunk (trunk_id, position),
  CONSTRAINT trunk_sources_trunk FOREIGN KEY (trunk_id) REFERENCES trunks (id) ON DELETE CASCADE
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE trunk_endpoints (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  trunk_id BIGINT NOT NULL,
  position INT NOT NULL,
  address VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,   -- IP literal
  port INT NOT NULL DEFAULT 5060,
  transport VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'udp',
  KEY trunk_endpoints_by_trunk (trunk_id, position),
  CONSTRAINT trunk_endpoints_trunk FOREIGN KEY (trunk_id) REFERENCES trunks (id) ON DELETE CASCADE
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE routing_rules (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  code VARCHAR(15) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,      -- empty = catch-all
  label VARCHAR(128) NOT NULL DEFAULT '',
  mode VARCHAR(16) NOT NULL DEFAULT 'priority',    -- priority, weight, percent
  trunk_scope_id BIGINT NULL,
  active TINYINT NOT NULL DEFAULT 1,
  min_digits INT NULL,
  max_digits INT NULL,
  revision BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  CONSTRAINT routing_rules_scope FOREIGN KEY (trunk_scope_id) REFERENCES trunks (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE routing_targets (
  rule_id BIGINT NOT NULL,
  position INT NOT NULL,
  trunk_id BIGINT NOT NULL,
  priority INT NOT NULL DEFAULT 0,
  weight INT NOT NULL DEFAULT 1,
  PRIMARY KEY (rule_id, position),
  KEY routing_targets_by_trunk (trunk_id),
  CONSTRAINT routing_targets_rule FOREIGN KEY (rule_id) REFERENCES routing_rules (id) ON DELETE CASCADE,
  CONSTRAINT routing_targets_trunk FOREIGN KEY (trunk_id) REFERENCES trunks (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE dialpeers (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  display_name VARCHAR(128) NOT NULL,
  customer_id BIGINT NOT NULL,
  trunk_id BIGINT NOT NULL,
  rule_id BIGINT NOT NULL,
  active TINYINT NOT NULL DEFAULT 1,
  revision BIGINT NOT NULL DEFAULT 1,
  created_at DATETIME(6) NOT NULL,
  updated_at DATETIME(6) NOT NULL,
  UNIQUE KEY dialpeers_once (customer_id, rule_id, trunk_id),
  KEY dialpeers_by_trunk (trunk_id),
  CONSTRAINT dialpeers_customer FOREIGN KEY (customer_id) REFERENCES customers (id),
  CONSTRAINT dialpeers_trunk FOREIGN KEY (trunk_id) REFERENCES trunks (id),
  CONSTRAINT dialpeers_rule FOREIGN KEY (rule_id) REFERENCES routing_rules (id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- One row, which every configuration transaction updates first. Its lock puts the versions in the order of the commits, without gaps.
CREATE TABLE config_state (
  id TINYINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
INSERT INTO config_state (id, version) VALUES (1, 0);

-- Every change in order: the services follow it, and it is the audit log (who, when, before, after).
CREATE TABLE config_changes (
  version BIGINT NOT NULL PRIMARY KEY,
  entity VARCHAR(32) NOT NULL,                     -- customer, trunk, routing_rule, dialpeer, rate_plan, rate
  entity_id BIGINT NOT NULL,
  action VARCHAR(16) NOT NULL,                     -- saved, deleted
  author VARCHAR(128) NOT NULL,
  at DATETIME(6) NOT NULL,
  before_json MEDIUMTEXT NULL,
  after_json MEDIUMTEXT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
