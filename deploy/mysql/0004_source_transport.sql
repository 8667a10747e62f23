-- How the INVITE of the call arrived: udp, tcp, tls; empty if its instance was lost before it reported this (REQUIREMENTS 10.1).
ALTER TABLE cdrs ADD COLUMN source_transport VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' AFTER source_port;
