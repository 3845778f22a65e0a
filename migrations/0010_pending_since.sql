-- Since when an event waits: an old one that is replayed begins anew.

alter table clawback.pending_events add column since timestamptz not null default now();
