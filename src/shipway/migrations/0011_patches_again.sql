-- A patch that could not be made is tried again, a few times.
alter table updates.patches
    add column tries integer not null default 1,
    add column again timestamptz;
