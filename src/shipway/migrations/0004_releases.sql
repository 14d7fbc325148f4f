create schema releases;

-- A build with a version, a schema head and a changelog. One for each run that built everything.
create table releases.releases (
    id          text primary key,
    app         text not null,
    number      integer not null,
    version     text not null,
    commit      text not null,
    run         text not null unique,
    schema_head text not null default '',
    artifacts   jsonb not null,
    product     text not null,
    changelog   text not null,
    authors     jsonb not null default '[]',
    state       text not null check (state in ('candidate', 'ready', 'refused')),
    created     timestamptz not null default now(),
    unique (app, number),
    unique (app, version)
);

-- A release entering an environment. Exactly one of an environment is live.
create table releases.deployments (
    id          text primary key,
    app         text not null,
    environment text not null,
    release     text not null references releases.releases,
    kind        text not null check (kind in ('deploy', 'rollback')),
    state       text not null check (
        state in ('waiting', 'running', 'live', 'warm', 'retired', 'failed', 'rolled_back')),
    asked_by    text not null,
    reason      text not null default '',
    -- The deployment whose instances serve this one: itself, or the warm one that came back.
    served_by   text not null,
    -- The deployment that a rollback from here goes back to.
    before      text references releases.deployments,
    -- The rollout: per-mille shares of the new release, in order, and how far it has come.
    plan        jsonb not null,
    stage       integer not null default 0,
    started     timestamptz not null default now(),
    ended       timestamptz,
    warm_until  timestamptz,
    sentence    text not null default ''
);

create unique index one_live on releases.deployments (app, environment) where state = 'live';
create index by_environment on releases.deployments (app, environment, started desc);

-- Gates and events are only ever added.
create table releases.gates (
    id          bigint generated always as identity primary key,
    release     text not null references releases.releases,
    environment text not null,
    name        text not null,
    open        boolean not null,
    sentence    text not null,
    evidence    jsonb not null default '{}',
    at          timestamptz not null default now()
);

create table releases.events (
    id          bigint generated always as identity primary key,
    key         text not null unique,
    app         text not null,
    subject     text not null,
    sentence    text not null,
    evidence    jsonb not null default '{}',
    at          timestamptz not null default now()
);

create index events_of on releases.events (subject, id);
create index gates_of on releases.gates (release, environment, name, id);

create function releases.only_added() returns trigger language plpgsql as $$
begin
    raise exception '% is only ever added to', tg_table_name;
end $$;

create trigger only_added before update or delete on releases.gates
    for each statement execute function releases.only_added();
create trigger only_added before update or delete on releases.events
    for each statement execute function releases.only_added();

-- Those who follow a deployment are told of every change.
create function releases.tell() returns trigger language plpgsql as $$
begin
    perform pg_notify('shipway_deployment', new.id);
    return null;
end $$;

create trigger tell after insert or update on releases.deployments
    for each row execute function releases.tell();
