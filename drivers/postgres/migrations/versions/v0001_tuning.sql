-- Page bodies of some 4 KB stay in the row: updates take two thirds of the time, and a seventh of the space,
-- that the same bodies take outside of it. What is longer goes outside, uncompressed (it is packed already).
ALTER TABLE pages SET (toast_tuple_target = 8160, fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_scale_factor = 0.05);

ALTER TABLE pages ALTER COLUMN body SET STORAGE EXTERNAL;

ALTER TABLE id_blocks ALTER COLUMN body SET STORAGE EXTERNAL;

-- A few rows, each updated many times a second: room for updates in place, and early cleaning.
ALTER TABLE positions SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- A queue: small, and all of it dead soon.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

ALTER TABLE snapshots SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
