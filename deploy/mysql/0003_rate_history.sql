-- Whether calls were priced with a rate or a plan (REQUIREMENTS 8.1) is asked at every edit: found by index, not by reading all CDRs.
CREATE INDEX cdrs_by_rate ON cdrs (rate_id);
CREATE INDEX cdrs_by_vendor_rate ON cdrs (vendor_rate_id);
