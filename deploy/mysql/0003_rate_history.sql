-- Every edit of a rate or a plan asks whether calls were priced with it (REQUIREMENTS 8.1); these indexes answer that.
CREATE INDEX cdrs_by_rate ON cdrs (rate_id);
CREATE INDEX cdrs_by_vendor_rate ON cdrs (vendor_rate_id);
