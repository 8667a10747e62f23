-- The configuration feed reads only these columns, also when very many changes came at once: the index has all of them, so the documents of
-- the audit are not read.
CREATE INDEX config_changes_followed ON config_changes (version, entity, entity_id, action);

-- The first address of the network, as text that sorts by family and address. A save of a trunk looks up what its sources can overlap
-- (REQUIREMENTS 2.6): the networks that begin inside one of them, and those that contain it, whose first addresses are known.
ALTER TABLE trunk_sources
  ADD COLUMN range_start VARCHAR(33) CHARACTER SET ascii COLLATE ascii_bin
    AS (CONCAT(IF(LOCATE(':', network) > 0, '6', '4'), HEX(INET6_ATON(SUBSTRING_INDEX(network, '/', 1))))) STORED,
  ADD KEY trunk_sources_by_start (range_start);
