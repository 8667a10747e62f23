-- A trace in the form of libs/cdr/trace.hpp; rows that were written as JSON before are still read.
ALTER TABLE cdr_traces MODIFY COLUMN trace MEDIUMBLOB NOT NULL;
