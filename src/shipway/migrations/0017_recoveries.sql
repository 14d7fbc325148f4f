-- The copy of a database that stands beside the live one, at most one for each.
create table database.recoveries (
    app         text not null,
    environment text not null,
    operation   text not null,
    asked       text not null,
    repository  integer not null default 0,
    backup      text not null default '',
    target      timestamptz,
    state       text not null default 'restoring' check (
        state in ('restoring', 'standing', 'promoting')),
    newest      timestamptz,
    head        text not null default '',
    differences jsonb not null default '[]',
    created     timestamptz not null default now(),
    primary key (app, environment)
);
