-- How people come into the console. Of secrets only digests are kept.

create table access.passwords (
    person text primary key references access.people on delete cascade,
    hash text not null,
    set_at timestamptz not null default now()
);

-- Whoever holds the code of a link becomes that person, once.
create table access.links (
    digest bytea primary key,
    person text not null references access.people on delete cascade,
    expires timestamptz not null
);

create table access.sessions (
    id text primary key,
    person text not null references access.people on delete cascade,
    digest bytea not null unique,
    -- The secret before the last change, until the new one has been used.
    previous bytea unique,
    changed timestamptz not null,
    -- What forms carry, so that no other site can send them.
    form_key text not null,
    about text not null,
    created timestamptz not null,
    seen timestamptz not null
);
