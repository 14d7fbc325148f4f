create schema database;

create table database.migrations (
    deployment text primary key,
    app text not null,
    environment text not null,
    release text not null,
    state text not null default 'running' check (state in ('running', 'succeeded', 'failed')),
    before text not null,
    after text not null default '',
    statements jsonb not null default '[]',
    attempts integer not null default 0,
    seconds double precision not null default 0,
    sentence text not null default '',
    log_position jsonb,
    started timestamptz not null default now(),
    ended timestamptz
);
create index on database.migrations (app, environment, started desc);
