create schema updates;

-- Keys that updates are signed with. The private half is sealed for the worker, or absent when
-- a command of the machine's owner signs.
create table updates.keys (
    app         text not null,
    id          text not null,
    certificate text not null,
    chain       text not null default '',
    sealed      bytea,
    created     timestamptz not null default now(),
    retired     timestamptz,
    primary key (app, id)
);

-- What each native fingerprint stands for, to tell what has changed.
create table updates.fingerprints (
    app      text not null,
    platform text not null,
    hash     text not null,
    sources  jsonb not null,
    primary key (app, platform, hash)
);

-- Native builds in users' hands. Times of updates are milliseconds since 1970, as manifests have them.
create table updates.store_builds (
    id          text primary key,
    app         text not null,
    platform    text not null check (platform in ('ios', 'android')),
    version     text not null,
    runtime     text not null,
    fingerprint text not null default '',
    embedded    text not null default '',
    committed   bigint not null default 0,
    launch      text not null default '',
    by          text not null,
    created     timestamptz not null default now(),
    unique (app, platform, version, runtime, embedded)
);

-- What clients ask for, one for each environment; normally it serves the branch of its own name.
create table updates.channels (
    app           text not null,
    name          text not null,
    branch        text not null,
    paused        boolean not null default false,
    pinned        text,
    headers       jsonb,
    asset_headers jsonb not null default '{}',
    primary key (app, name)
);

-- One publish: the updates of all platforms that became visible together.
create table updates.groups (
    id       text primary key,
    number   bigint generated always as identity unique,
    app      text not null,
    branch   text not null,
    key      text not null unique,
    kind     text not null check (kind in ('publish', 'republish', 'embedded')),
    release  text not null default '',
    version  text not null default '',
    commit   text not null default '',
    message  text not null default '',
    author   text not null default '',
    per_mille integer not null check (per_mille between 0 and 1000),
    state    text not null default 'rolling' check (
        state in ('rolling', 'paused', 'whole', 'reverted')),
    source   text references updates.groups,
    size     bigint not null default 0,
    sentence text not null default '',
    created  timestamptz not null default now()
);

create index groups_of_branch on updates.groups (app, branch, number desc);

-- What one platform and runtime version is offered by a group.
create table updates.entries (
    id          text primary key,
    "group"     text not null references updates.groups,
    app         text not null,
    branch      text not null,
    platform    text not null,
    runtime     text not null,
    kind        text not null check (kind in ('update', 'embedded')),
    created     bigint not null,
    body        text not null,
    signatures  jsonb not null,
    launch      text not null default '',
    assets      jsonb not null default '[]',
    export      text not null default '',
    fingerprint text not null default '',
    size        bigint not null default 0,
    unique (app, branch, platform, runtime, created)
);

create index entries_of_group on updates.entries ("group");

create table updates.patches (
    app       text not null,
    base      text not null,
    target    text not null,
    file      text not null default '',
    size      bigint not null default 0,
    full_size bigint not null default 0,
    offered   boolean not null,
    sentence  text not null,
    hits      bigint not null default 0,
    made      timestamptz not null default now(),
    primary key (app, base, target)
);

-- A device (its id is hashed) and what it was last seen running.
create table updates.devices (
    app      text not null,
    client   text not null,
    channel  text not null,
    platform text not null,
    runtime  text not null,
    current  text not null,
    embedded text not null default '',
    first_at timestamptz not null,
    last_at  timestamptz not null,
    primary key (app, client)
);

create index devices_by_update on updates.devices (app, platform, runtime, current);

-- What became of an update on a device.
create table updates.exposures (
    app        text not null,
    update_id  text not null,
    client     text not null,
    offered    timestamptz,
    downloaded timestamptz,
    launched   timestamptz,
    failed     timestamptz,
    error      text not null default '',
    primary key (app, update_id, client)
);

-- How far the files in which intake tells of requests were read.
create table updates.consumed (
    file  text primary key,
    bytes bigint not null
);

-- What people ask the worker to do about updates.
create table updates.changes (
    id        text primary key,
    app       text not null,
    action    text not null,
    arguments jsonb not null,
    by        text not null,
    state     text not null default 'waiting' check (state in ('waiting', 'done', 'refused')),
    sentence  text not null default '',
    about     text not null default '',
    created   timestamptz not null default now()
);
