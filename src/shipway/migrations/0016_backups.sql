-- What was asked for about backups and restores, by people or by the schedule.
create table database.operations (
    id          text primary key,
    app         text not null,
    environment text not null,
    kind        text not null,
    arguments   jsonb not null default '{}',
    by          text not null default '',
    state       text not null default 'waiting' check (
        state in ('waiting', 'running', 'succeeded', 'failed')),
    sentence    text not null default '',
    results     jsonb not null default '[]',
    created     timestamptz not null default now(),
    ended       timestamptz
);

create index operations_newest on database.operations (app, environment, created desc);

-- The backups in each repository, as it told of them last.
create table database.backups (
    app         text not null,
    environment text not null,
    repository  integer not null,
    label       text not null,
    kind        text not null,
    began       timestamptz not null,
    ended       timestamptz not null,
    first       text not null,
    last        text not null,
    size        bigint not null,
    stored      bigint not null,
    prior       text not null default '',
    broken      boolean not null,
    primary key (app, environment, repository, label)
);

-- What each repository can bring back, and whether its checksums hold.
create table database.archives (
    app         text not null,
    environment text not null,
    repository  integer not null,
    reach       jsonb not null,
    good        boolean not null,
    sentence    text not null,
    looked      timestamptz not null,
    verified    timestamptz,
    intact      boolean,
    complaints  jsonb not null default '[]',
    exported    timestamptz, -- when somebody took its key to a safe place
    primary key (app, environment, repository)
);

-- What each live server told last of its archiving.
create table database.archivers (
    app         text not null,
    environment text not null,
    "on"        boolean not null,
    last        text not null,
    last_at     timestamptz,
    failed      bigint not null,
    failed_at   timestamptz,
    looked      timestamptz not null,
    primary key (app, environment)
);

-- Buckets besides the folder. The secret is sealed.
create table database.places (
    app         text not null,
    environment text not null,
    endpoint    text not null,
    bucket      text not null,
    path        text not null,
    region      text not null,
    key_id      text not null,
    secret      bytea not null,
    ca          text not null default '',
    primary key (app, environment)
);
