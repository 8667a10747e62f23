-- The ingress instances that may have calls. A rebuild of Redis waits for the calls of each, so billing must know them after its own restart
-- (REQUIREMENTS 9.4). A row goes when its instance has stopped in order or was replaced on its spool.
CREATE TABLE ingress_instances (
  instance VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  first_seen_at DATETIME(6) NOT NULL
) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci;
