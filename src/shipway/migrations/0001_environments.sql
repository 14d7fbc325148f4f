create schema environments;

create table environments.apps (
    name text primary key,
    created_by text not null,
    created timestamptz not null default now(),
    -- The shipway.toml in force, and the commit of main that it came with.
    commit text,
    product text,
    accepted timestamptz,
    check ((commit is null) = (product is null) and (commit is null) = (accepted is null))
);

create table environments.variables (
    app text not null references environments.apps on delete cascade,
    environment text not null,
    name text not null,
    kind text not null check (kind in ('secret', 'plain', 'public')),
    value text,
    sealed bytea,
    -- Tells equal secrets from different ones without opening them.
    likeness bytea,
    set_by text not null,
    set_at timestamptz not null default now(),
    primary key (app, environment, name),
    check ((kind = 'secret') = (value is null)),
    check ((kind = 'secret') = (sealed is not null)),
    check ((kind = 'secret') = (likeness is not null))
);

-- Secrets that Shipway makes once and nobody sets: JWT_SECRET, database passwords.
create table environments.generated (
    app text not null references environments.apps on delete cascade,
    environment text not null,
    name text not null,
    sealed bytea not null,
    made timestamptz not null default now(),
    primary key (app, environment, name)
);
