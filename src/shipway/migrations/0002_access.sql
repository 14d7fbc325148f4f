create schema access;

create table access.people (
    name text primary key,
    role text not null check (role in ('viewer', 'developer', 'approver', 'owner')),
    emails text[] not null default '{}',
    created timestamptz not null default now()
);

create table access.tokens (
    id text primary key,
    person text not null references access.people on delete cascade,
    name text not null,
    digest bytea not null unique,
    created timestamptz not null default now(),
    expires timestamptz,
    last_used timestamptz
);

create table access.approvals (
    release text not null,
    environment text not null,
    person text not null,
    reason text not null,
    at timestamptz not null default now(),
    primary key (release, environment, person)
);

create table access.audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    who text not null,
    what text not null,
    target text not null,
    detail jsonb not null default '{}'
);

create index by_deed on access.audit (what, target, id desc);

create function access.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'The audit trail is only added to.';
end
$$;

create trigger append_only before update or delete on access.audit
    for each row execute function access.refuse_change();

create trigger append_only_whole before truncate on access.audit
    for each statement execute function access.refuse_change();

create table access.answers (
    person text not null,
    key text not null,
    request bytea not null,
    status int,
    body bytea,
    at timestamptz not null default now(),
    primary key (person, key)
);
