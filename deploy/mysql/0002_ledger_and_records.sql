-- The ledger (double entry, rows are only added) and the call records. Only billing writes them.

-- The balance of each account, changed in the same transaction as its entries. account: customer:<id>, system:cash:<currency>,
-- system:revenue:<currency>.
CREATE TABLE accounts (
  account VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  currency CHAR(3) NOT NULL,
  balance_micros BIGINT NOT NULL DEFAULT 0,
  version BIGINT NOT NULL DEFAULT 0                -- rises with every movement; Redis keeps the balance of the highest version
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- The lines of one transfer sum to zero. transfer_id: call:<call id>, call:<call id>:correction, pay:<customer id>:<idempotency key>.
CREATE TABLE ledger_entries (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  transfer_id VARCHAR(160) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  line TINYINT NOT NULL,
  account VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  amount_micros BIGINT NOT NULL,
  currency CHAR(3) NOT NULL,
  kind VARCHAR(16) NOT NULL,                       -- charge, payment, adjustment, refund
  call_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NULL,
  reference VARCHAR(128) NOT NULL DEFAULT '',
  author VARCHAR(128) NOT NULL DEFAULT '',
  note VARCHAR(255) NOT NULL DEFAULT '',
  at DATETIME(6) NOT NULL,
  UNIQUE KEY ledger_entries_once (transfer_id, line),
  KEY ledger_entries_by_account (account, id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE cdrs (
  call_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,   -- sorts by set-up time
  ingress_sip_call_id VARCHAR(255) NOT NULL DEFAULT '',
  egress_sip_call_id VARCHAR(255) NOT NULL DEFAULT '',
  instance VARCHAR(64) NOT NULL DEFAULT '',
  setup_at DATETIME(6) NOT NULL,
  ringing_at DATETIME(6) NULL,
  answered_at DATETIME(6) NULL,
  ended_at DATETIME(6) NOT NULL,
  caller_in VARCHAR(64) NOT NULL DEFAULT '',
  called_in VARCHAR(64) NOT NULL DEFAULT '',
  caller_out VARCHAR(64) NOT NULL DEFAULT '',
  called_out VARCHAR(64) NOT NULL DEFAULT '',
  called_rated VARCHAR(64) NOT NULL DEFAULT '',
  customer_id BIGINT NULL,
  trunk_id BIGINT NULL,
  source_address VARCHAR(45) NOT NULL DEFAULT '',
  source_port INT NOT NULL DEFAULT 0,
  source_row_id BIGINT NULL,
  carrier_customer_id BIGINT NULL,
  carrier_trunk_id BIGINT NULL,
  endpoint_id BIGINT NULL,
  endpoint VARCHAR(64) NOT NULL DEFAULT '',
  rule_id BIGINT NULL,
  rule_code VARCHAR(15) NOT NULL DEFAULT '',
  dialpeer_id BIGINT NULL,
  rate_id BIGINT NULL,
  rate_prefix VARCHAR(15) NULL,
  rate_per_minute_micros BIGINT NULL,
  rate_connection_fee_micros BIGINT NULL,
  rate_connection_seconds INT NULL,
  rate_billing_block_seconds INT NULL,
  vendor_rate_id BIGINT NULL,
  vendor_rate_prefix VARCHAR(15) NULL,
  vendor_rate_per_minute_micros BIGINT NULL,
  talked_ms BIGINT NOT NULL DEFAULT 0,             -- talking time
  talked_seconds INT NOT NULL DEFAULT 0,           -- rounded up: d of REQUIREMENTS 8.4
  billed_seconds INT NOT NULL DEFAULT 0,
  currency CHAR(3) NOT NULL DEFAULT 'USD',
  charge_micros BIGINT NOT NULL DEFAULT 0,
  cost_micros BIGINT NOT NULL DEFAULT 0,
  margin_micros BIGINT NOT NULL DEFAULT 0,
  pdd_ms INT NULL,
  final_code INT NOT NULL DEFAULT 0,
  q850_cause INT NOT NULL DEFAULT 0,
  reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ended_by VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,           -- caller, carrier, tollgate, operator
  ended_by_user VARCHAR(128) NOT NULL DEFAULT '',
  attempt_count INT NOT NULL DEFAULT 0,
  KEY cdrs_by_customer (customer_id, call_id),
  KEY cdrs_by_trunk (trunk_id, call_id),
  KEY cdrs_by_carrier (carrier_trunk_id, call_id)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

CREATE TABLE cdr_attempts (
  call_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number INT NOT NULL,
  trunk_id BIGINT NOT NULL,
  endpoint_id BIGINT NULL,
  endpoint VARCHAR(64) NOT NULL DEFAULT '',
  started_at DATETIME(6) NULL,
  lasted_ms INT NOT NULL DEFAULT 0,
  final_code INT NOT NULL DEFAULT 0,
  ended_because VARCHAR(32) NOT NULL DEFAULT '',
  skipped VARCHAR(32) NOT NULL DEFAULT '',
  detail VARCHAR(255) NOT NULL DEFAULT '',
  PRIMARY KEY (call_id, number)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- The decision trace as JSON: [{"stage","check","found","passed"}, ...]
CREATE TABLE cdr_traces (
  call_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  trace MEDIUMTEXT NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Messages of unknown sources, counted (REQUIREMENTS 10.1).
CREATE TABLE unknown_sources (
  summary_id CHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  address VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  messages BIGINT NOT NULL,
  first_at DATETIME(6) NOT NULL,
  last_at DATETIME(6) NOT NULL,
  PRIMARY KEY (summary_id, address)
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;

-- Records that could not be read or stored. They are kept for the operator, so that the records after them are not delayed.
CREATE TABLE dead_letters (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  stream_sequence BIGINT NOT NULL,
  subject VARCHAR(255) NOT NULL,
  error VARCHAR(255) NOT NULL,
  data_hex MEDIUMTEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  at DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
