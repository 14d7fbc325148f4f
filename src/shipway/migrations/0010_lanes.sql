-- An owner's yes in an emergency goes past what else the policy asks for.
alter table access.approvals add column emergency boolean not null default false;

-- The branch whose push made a release: those of hotfix branches skip staging.
alter table releases.releases add column branch text not null default 'main';

alter table releases.deployments
    -- Why it is watched closely, or nothing, and until when.
    add column watch text not null default '',
    add column watched_until timestamptz,
    -- Why somebody ended it before it was live, or nothing: then it never becomes live.
    add column withdrawn text not null default '';
