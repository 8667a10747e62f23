-- INVITEs that were refused without a record of their own are counted by source and reason: unknown_source, or overloaded.
ALTER TABLE unknown_sources
  ADD COLUMN reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'unknown_source',
  DROP PRIMARY KEY,
  ADD PRIMARY KEY (summary_id, address, reason);
