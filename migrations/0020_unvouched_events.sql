-- Events that are rightly signed, but of the other mode than their secret vouches for: Stripe sends test events to live
-- Connect endpoints by design. Kept apart, so that they take no id from the same event that comes rightly vouched, and
-- no replay or rebuild reads them.
create table clawback.unvouched_events (
    event_id    text        not null,
    type        text        not null,
    api_version text,
    account     text,
    livemode    boolean     not null,
    object_id   text,
    created_at  timestamptz,
    received_at timestamptz not null default now(),
    payload     text        not null,
    constraint unvouched_events_pkey primary key (event_id),
    constraint unvouched_events_event_id_length check (octet_length(event_id) between 1 and 255)
);

-- Each branch reads one table: only so can the newest be taken from the index, without sorting the whole ledger.
create or replace view clawback_v1.events as
select e.event_id, e.type, e.api_version, e.account, e.livemode, e.object_id,
       -- A charge that turned out to belong to an intent: its earlier events are the intent's now.
       coalesce((select o.payment_id from clawback.payment_objects o where o.object_id = e.payment_id), e.payment_id)
           as payment_id,
       e.created_at, e.received_at, e.state, e.attempts, e.last_error, e.processed_at
from clawback.events e
union all
select u.event_id, u.type, u.api_version, u.account, u.livemode, u.object_id, null, u.created_at, u.received_at,
       'ignored', 0, 'of the other mode than its secret vouches for: kept apart', u.received_at
from clawback.unvouched_events u
where not exists (select from clawback.events e where e.event_id = u.event_id);
comment on view clawback_v1.events is
    'The ledger: every event acknowledged. state: pending, processed (last_error names what was passed over), ignored (nothing here reads it; last_error says why) or failed (last_error names the field).';
comment on column clawback_v1.events.last_error is
    'Why it was ignored or failed; names the field that cannot be read. Of a processed event: ''passed over: '' and the fields that could not be read and were taken as absent.';

create or replace view clawback_v1.event_payloads as
select b.event_id,
       regexp_replace(b.payload, '("client_secret"\s*:\s*)"(?:[^"\\]|\\.)*"', '\1"***"', 'g') as payload
from (select event_id, payload from clawback.event_payloads
      union all
      select u.event_id, u.payload from clawback.unvouched_events u
      where not exists (select from clawback.events e where e.event_id = u.event_id)) b;
