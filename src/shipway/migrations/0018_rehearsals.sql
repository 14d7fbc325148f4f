create table database.rehearsals (
    id text primary key,
    app text not null,
    environment text not null,
    release text not null,
    state text not null,
    report jsonb not null,
    at timestamptz not null
);
create index on database.rehearsals (app, environment, at desc);
create table database.applied (
    app text not null,
    environment text not null,
    path text not null,
    digest text not null,
    release text not null,
    at timestamptz not null default now(),
    primary key (app, environment, path)
);
alter table database.migrations add column unfinished jsonb not null default '[]';
