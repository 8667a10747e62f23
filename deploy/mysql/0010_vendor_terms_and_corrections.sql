-- The vendor's rate with all its terms, so that the cost can be computed again from the row (REQUIREMENTS 8.4, 8.5).
-- `recorded_at` is when the record was made: of two true records of a call the later one counts. `corrections` is how often the row was
-- replaced; each replacement that moved money has a transfer of its own (call:<id>:correction, call:<id>:correction:2, ...).
ALTER TABLE cdrs
  ADD COLUMN vendor_rate_connection_fee_micros BIGINT NULL AFTER vendor_rate_per_minute_micros,
  ADD COLUMN vendor_rate_connection_seconds INT NULL AFTER vendor_rate_connection_fee_micros,
  ADD COLUMN vendor_rate_billing_block_seconds INT NULL AFTER vendor_rate_connection_seconds,
  ADD COLUMN recorded_at DATETIME(6) NULL,
  ADD COLUMN corrections INT NOT NULL DEFAULT 0;

-- `at` is when it happened: the end of the call, the payment. `posted_at` is when the entry was written. They differ for what was delayed
-- or corrected. The account of adjustments is system:adjustment:<currency>; adjustments of before are on system:cash:<currency>.
ALTER TABLE ledger_entries ADD COLUMN posted_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) AFTER at;
UPDATE ledger_entries SET posted_at = at;
