-- Each time of housekeeping, with a sentence for everything that went.
create table builds.housekeeping (
    id       text primary key,
    by       text not null default '',
    dry_run  boolean not null,
    at       timestamptz not null default now(),
    ended    timestamptz,
    sentence text not null default '',
    removals jsonb not null default '[]'
);

-- When housekeeping has removed the bytes. That they were made stays on record.
alter table builds.artifacts add column removed timestamptz;

-- When the artifacts of a release were removed: it cannot be deployed any more.
alter table releases.releases add column expired timestamptz;
