create schema runtime;

-- One running copy of an app's server, or one that should run. A row stands from before its service
-- is kept until after it is dropped, so that whatever interrupts, the row tells what to look for.
create table runtime.instances (
    id          text primary key,
    app         text not null,
    environment text not null,
    release     text not null,
    deployment  text not null,
    index       integer not null,
    -- Counts the instances that took this place in turn: a successor runs beside an orphan.
    copy        integer not null default 0,
    port        integer not null unique,
    service     text not null unique,
    -- Set before it is stopped, so that nobody brings it back.
    leaving     boolean not null default false,
    created     timestamptz not null default now(),
    unique (deployment, index, copy)
);

create index by_environment on runtime.instances (app, environment);

-- The port given out last: the next is the one after it, so that a port rests before it is used again
-- and no late request of one app reaches another.
create table runtime.ports (
    single boolean primary key default true check (single),
    last integer not null default 0
);

insert into runtime.ports default values;
