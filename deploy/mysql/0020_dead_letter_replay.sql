-- A dead letter can be published to the stream again; it says when that was, and who did it (REQUIREMENTS 10.7).
ALTER TABLE dead_letters
  ADD COLUMN replayed_at DATETIME(6) NULL,
  ADD COLUMN replayed_by VARCHAR(128) NOT NULL DEFAULT '',
  ADD KEY dead_letters_waiting (replayed_at, id);
