create schema health;

create table health.channels (
    id text primary key,
    app text not null,
    kind text not null check (kind in ('webhook', 'email')),
    target text not null,
    -- The key of a webhook's signatures, sealed for the worker.
    secret bytea,
    created timestamptz not null default now(),
    unique (app, kind, target)
);

create table health.outbox (
    id text primary key,
    key text not null unique,
    event text not null,
    app text not null,
    subject text not null,
    sentence text not null,
    evidence jsonb not null,
    at timestamptz not null default now()
);

-- A notification on its way to one channel.
create table health.deliveries (
    id text primary key,
    notification text not null references health.outbox on delete cascade,
    channel text not null references health.channels on delete cascade,
    state text not null default 'waiting' check (state in ('waiting', 'delivered', 'given_up')),
    attempts int not null default 0,
    next_at timestamptz not null default now(),
    last_error text not null default '',
    unique (notification, channel)
);

create index due on health.deliveries (next_at) where state = 'waiting';
