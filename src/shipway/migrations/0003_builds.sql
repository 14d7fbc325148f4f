create schema builds;

create table builds.pushes (
    app text not null,
    number integer not null,
    branch text not null,
    before text not null,
    commit text not null,
    by text not null,
    at timestamptz not null default now(),
    primary key (app, number)
);
create index on builds.pushes (app, branch, number desc);

create table builds.runs (
    id text primary key,
    app text not null,
    branch text not null,
    commit text not null,
    push integer not null,
    kind text not null,
    state text not null default 'waiting',
    pushed_by text not null,
    created timestamptz not null default now(),
    started timestamptz,
    ended timestamptz,
    sentence text not null default '',
    unique (app, branch, commit, push)
);
create index on builds.runs (app, id desc);

create table builds.steps (
    run text not null references builds.runs on delete cascade,
    name text not null,
    position integer not null generated always as identity,
    state text not null,
    cached boolean not null default false,
    started timestamptz,
    ended timestamptz,
    sentence text not null default '',
    key text not null default '',
    facts jsonb not null default '{}',
    primary key (run, name)
);

-- What a step gave, by the digest of all that it saw. Runs of branches keep theirs apart.
create table builds.results (
    app text not null,
    key text not null,
    trusted boolean not null,
    step text not null,
    run text not null,
    artifacts jsonb not null,
    facts jsonb not null,
    seconds double precision not null,
    folder text not null default '',
    trees jsonb not null default '[]',
    made timestamptz not null default now(),
    used timestamptz not null default now(),
    primary key (app, key, trusted)
);
create index on builds.results (app, step, used desc);

create table builds.artifacts (
    run text not null references builds.runs on delete cascade,
    name text not null,
    digest text not null,
    kind text not null,
    size bigint not null,
    commit text not null,
    provenance jsonb not null,
    made timestamptz not null default now(),
    primary key (run, name)
);
create index on builds.artifacts (digest);
