-- Call records in one partition per UTC day: a day is a range of call ids, which begin with the time of the set-up (libs/cdr/days.hpp). So
-- the primary keys stay as they are, and old days are dropped without reading a row. billing makes the partitions of the next days from
-- p_next and drops those beyond the retention.
ALTER TABLE cdrs PARTITION BY RANGE COLUMNS (call_id) (PARTITION p_next VALUES LESS THAN (MAXVALUE));
ALTER TABLE cdr_attempts PARTITION BY RANGE COLUMNS (call_id) (PARTITION p_next VALUES LESS THAN (MAXVALUE));
ALTER TABLE cdr_traces PARTITION BY RANGE COLUMNS (call_id) (PARTITION p_next VALUES LESS THAN (MAXVALUE));
