-- What the edge is to serve. The table that Envoy gets is composed from these rows.

create schema edge;

create table edge.pools (
    name text primary key,
    app text not null,
    environment text not null,
    -- address:port each
    endpoints text[] not null,
    health_path text not null
);

create table edge.routes (
    host text primary key,
    app text not null,
    environment text not null,
    tls boolean not null,
    hsts boolean not null,
    minimum_tls text not null check (minimum_tls in ('1.2', '1.3')),
    timeout_seconds double precision not null check (timeout_seconds >= 0)
);

create index on edge.routes (app, environment);
create index on edge.pools (app, environment);

-- The parts of a route's traffic; those of one route add up to 1000.
create table edge.shares (
    host text not null references edge.routes on delete cascade,
    position int not null,
    pool text not null references edge.pools,
    per_mille int not null check (per_mille between 0 and 1000),
    headers jsonb not null,
    primary key (host, position)
);

create index on edge.shares (pool);
