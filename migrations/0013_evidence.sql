-- Responses to disputes: what is staged for a dispute in one phase, its files, and what Stripe accepts. The functions for
-- services and people are in 0014.

-- One response per dispute and phase. No foreign key to disputes: those rows are derived, and may be derived again.
create table clawback.dispute_responses (
    dispute_id     text        not null,
    phase          text        not null,
    account        text        not null,
    livemode       boolean     not null,
    state          text        not null default 'draft',
    -- Rises with every change of the draft.
    version        bigint      not null default 0,
    -- Text by evidence field, and our own field product_kind.
    fields         jsonb       not null default '{}',
    -- What Stripe filled in by itself and nobody overwrote: text or file ID by evidence field.
    held           jsonb       not null default '{}',
    -- What the reason calls for and is not there; what keeps the draft from being submitted.
    missing        text[]      not null default '{}',
    problems       text[]      not null default '{}',
    -- Most pages of all evidence together, by card network.
    page_limit     integer     not null default 49,
    -- The letter that was generated last: whatever differs from it was written by a person.
    letter         text,
    -- The submission count when the draft began: a larger one that is not ours was made elsewhere.
    baseline       bigint      not null,
    -- How often submission or acceptance was requested.
    attempt        integer     not null default 0,
    -- The version that Stripe holds, unsubmitted, and the fields it was sent.
    staged_version bigint,
    staged_fields  text[]      not null default '{}',
    -- How Stripe would respond by itself, before it was set to manual; and whether it is manual now.
    former_method  text,
    is_manual      boolean     not null default false,
    -- Announced automatic acceptance. Any change of the draft cancels it.
    accept_after   timestamptz,
    -- A person changed it: never accepted automatically, and staged at Stripe as soon as it is complete.
    is_touched     boolean     not null default false,
    -- A submission after the deadline that was refused once.
    late_version   bigint,
    late_at        timestamptz,
    staged_by      text,
    submitted_by   text,
    error          text,
    submitted_at   timestamptz,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    constraint dispute_responses_pkey primary key (dispute_id, phase),
    constraint dispute_responses_phase check (phase in ('inquiry', 'chargeback', 'appeal', 'compliance')),
    constraint dispute_responses_state check (state in ('draft', 'submit_requested', 'submitted', 'submitted_elsewhere',
        'rejected', 'accept_requested', 'accepted')),
    constraint dispute_responses_submitted check ((state in ('submitted', 'submitted_elsewhere', 'accepted'))
        = (submitted_at is not null)),
    constraint dispute_responses_counts check (version >= 0 and attempt >= 0 and baseline >= 0 and page_limit > 0)
) with (fillfactor = 80);
create index dispute_responses_open on clawback.dispute_responses (dispute_id) where state in ('draft', 'rejected');

-- The bytes of what was sent are removed some time after the dispute is closed; the row stays.
create table clawback.evidence_files (
    -- Also the idempotency key of the upload.
    id           uuid        not null default gen_random_uuid(),
    dispute_id   text        not null,
    phase        text        not null,
    field        text        not null,
    name         text        not null,
    content_type text        not null,
    content      bytea,
    bytes        integer     not null,
    sha256       text        not null,
    -- Counted by the service; both null until then.
    pages        integer,
    unreadable   text,
    -- Stripe's ID, once uploaded.
    file_id      text,
    attached_at  timestamptz not null default now(),
    constraint evidence_files_pkey primary key (dispute_id, phase, field),
    constraint evidence_files_id unique (id),
    constraint evidence_files_response_fkey foreign key (dispute_id, phase)
        references clawback.dispute_responses (dispute_id, phase),
    constraint evidence_files_type check (content_type in ('application/pdf', 'image/jpeg', 'image/png')),
    constraint evidence_files_size check (bytes between 1 and 4500000),
    constraint evidence_files_counted check (pages > 0 and unreadable is null or pages is null)
);
-- Images and PDFs are compressed already.
alter table clawback.evidence_files alter column content set storage external;
create index evidence_files_stored on clawback.evidence_files (attached_at, id) where content is not null;
create index evidence_files_uncounted on clawback.evidence_files (attached_at) where pages is null and unreadable is null;

-- The evidence fields of POST /v1/disputes/:id with their limits in characters (docs.stripe.com/api/disputes/update); [n] is
-- a place in a list. product_kind is ours.
create function clawback.evidence_fields() returns table (field text, kind text, shortest integer, longest integer)
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select f.name, f.kind, 1, f.longest
    from (values
        ('access_activity_log', 'text', 20000), ('billing_address', 'text', 5000),
        ('cancellation_policy', 'file', null), ('cancellation_policy_disclosure', 'text', 20000),
        ('cancellation_rebuttal', 'text', 20000), ('customer_communication', 'file', null),
        ('customer_email_address', 'text', 5000), ('customer_name', 'text', 5000),
        ('customer_purchase_ip', 'text', 5000), ('customer_signature', 'file', null),
        ('duplicate_charge_documentation', 'file', null), ('duplicate_charge_explanation', 'text', 20000),
        ('duplicate_charge_id', 'charge', 5000), ('product_description', 'text', 20000), ('receipt', 'file', null),
        ('refund_policy', 'file', null), ('refund_policy_disclosure', 'text', 20000),
        ('refund_refusal_explanation', 'text', 20000), ('service_date', 'text', 5000),
        ('service_documentation', 'file', null), ('shipping_address', 'text', 5000), ('shipping_carrier', 'text', 5000),
        ('shipping_date', 'text', 5000), ('shipping_documentation', 'file', null),
        ('shipping_tracking_number', 'text', 5000), ('uncategorized_file', 'file', null),
        ('uncategorized_text', 'text', 20000), ('product_kind', 'product', null),
        ('appeal.card.reason_for_filing', 'text', 20000), ('appeal.card.supporting_files[n]', 'file', null),
        ('enhanced_evidence.visa_compliance.fee_acknowledged', 'flag', null),
        ('enhanced_evidence.mastercard_compliance.fee_acknowledged', 'flag', null)
    ) as f (name, kind, longest)
    union all
    select 'enhanced_evidence.visa_compelling_evidence_3.' || t.name || '.' || e.name, e.kind, e.shortest, e.longest
    from (values ('disputed_transaction'), ('prior_undisputed_transactions[n]')) as t (name)
    join (values
        ('charge', 'charge', 1, 5000), ('customer_account_id', 'text', 1, 5000),
        ('customer_device_fingerprint', 'text', 20, 5000), ('customer_device_id', 'text', 15, 5000),
        ('customer_email_address', 'text', 1, 5000), ('customer_purchase_ip', 'text', 1, 5000),
        ('merchandise_or_services', 'merchandise', 1, null), ('product_description', 'text', 1, 5000),
        ('shipping_address.city', 'text', 1, 5000), ('shipping_address.country', 'text', 1, 5000),
        ('shipping_address.line1', 'text', 1, 5000), ('shipping_address.line2', 'text', 1, 5000),
        ('shipping_address.postal_code', 'text', 1, 5000), ('shipping_address.state', 'text', 1, 5000)
    ) as e (name, kind, shortest, longest)
        -- A prior transaction is named by its charge, and only the disputed one says what was sold.
        on (e.name <> 'charge' or t.name <> 'disputed_transaction')
        and (e.name <> 'merchandise_or_services' or t.name = 'disputed_transaction');
end
$$;
revoke all on function clawback.evidence_fields() from public;

-- What a reason calls for, for each kind of product, the strongest first. is_strong: it makes winning more likely, and a
-- draft without it is not complete (docs.stripe.com/disputes/categories).
create function clawback.evidence_called_for(reason text, product text)
returns table (field text, is_strong boolean, place bigint)
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
    with lists (of_reason, of_product, strong, others) as (values
        ('product_not_received', 'physical',
            'shipping_tracking_number shipping_carrier shipping_documentation shipping_address shipping_date',
            'customer_signature customer_communication receipt uncategorized_file'),
        ('product_not_received', 'digital', 'access_activity_log receipt customer_communication',
            'customer_purchase_ip customer_email_address customer_name uncategorized_text'),
        ('product_not_received', 'service', 'receipt customer_communication',
            'service_documentation service_date customer_signature cancellation_rebuttal'),
        ('fraudulent', 'physical', 'shipping_date customer_communication',
            'shipping_tracking_number shipping_carrier shipping_address shipping_documentation customer_signature uncategorized_text'),
        ('fraudulent', 'digital', 'service_date customer_communication',
            'access_activity_log customer_purchase_ip customer_email_address customer_name uncategorized_text'),
        ('fraudulent', 'service', 'service_date customer_communication',
            'service_documentation customer_signature uncategorized_text'),
        ('product_unacceptable', 'physical', 'customer_communication refund_refusal_explanation shipping_documentation',
            'product_description uncategorized_file service_documentation refund_policy refund_policy_disclosure receipt'),
        ('product_unacceptable', 'digital', 'access_activity_log customer_communication refund_refusal_explanation',
            'product_description refund_policy refund_policy_disclosure'),
        ('product_unacceptable', 'service', 'customer_communication refund_refusal_explanation',
            'service_documentation product_description receipt refund_policy'),
        ('credit_not_processed', 'physical', 'customer_signature customer_communication receipt',
            'refund_refusal_explanation refund_policy refund_policy_disclosure uncategorized_file'),
        ('credit_not_processed', '', 'customer_communication receipt',
            'refund_refusal_explanation refund_policy cancellation_policy refund_policy_disclosure cancellation_policy_disclosure cancellation_rebuttal'),
        ('duplicate', 'physical',
            'duplicate_charge_explanation duplicate_charge_documentation receipt shipping_documentation',
            'duplicate_charge_id customer_communication'),
        ('duplicate', 'service', 'duplicate_charge_explanation duplicate_charge_documentation receipt',
            'duplicate_charge_id customer_communication service_documentation'),
        ('duplicate', '', 'duplicate_charge_explanation duplicate_charge_documentation receipt',
            'duplicate_charge_id customer_communication'),
        ('subscription_canceled', 'digital', 'cancellation_policy_disclosure cancellation_policy cancellation_rebuttal',
            'customer_communication access_activity_log'),
        ('subscription_canceled', 'service', 'cancellation_policy_disclosure cancellation_policy cancellation_rebuttal',
            'customer_communication service_date service_documentation'),
        ('subscription_canceled', '', 'cancellation_policy_disclosure cancellation_policy cancellation_rebuttal',
            'customer_communication'),
        ('noncompliant', '', 'uncategorized_text', 'customer_communication uncategorized_file'),
        ('general', '', 'receipt customer_communication',
            'product_description access_activity_log refund_policy uncategorized_file uncategorized_text')
    ), chosen as (
        select l.* from lists l
        where l.of_reason = case evidence_called_for.reason when 'unrecognized' then 'fraudulent'
                else coalesce((select k.of_reason from lists k where k.of_reason = evidence_called_for.reason limit 1), 'general') end
            and l.of_product in (evidence_called_for.product, '')
        order by l.of_product desc
        limit 1
    )
    select n.name, n.place <= cardinality(string_to_array(c.strong, ' ')), n.place
    from chosen c
    cross join lateral unnest(string_to_array(c.strong || ' ' || c.others, ' ')) with ordinality as n (name, place)
    order by n.place;
end
$$;
revoke all on function clawback.evidence_called_for(text, text) from public;

-- Where a name of a list is, the field without its place.
create function clawback.evidence_field_name(field text) returns text
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return regexp_replace(regexp_replace(field, E'^(appeal\\.card\\.supporting_files)\\[\\d{1,2}\\]$', E'\\1[n]'),
        E'\\.prior_undisputed_transactions\\[[01]\\]\\.', '.prior_undisputed_transactions[n].');
end
$$;
revoke all on function clawback.evidence_field_name(text) from public;

-- The kind of a field; an error when there is no such field, or it is not of this phase.
create function clawback.evidence_kind(field text, phase text) returns text
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
declare
    known text;
begin
    select f.kind into known from clawback.evidence_fields() f where f.field = clawback.evidence_field_name(evidence_kind.field);
    if known is null then
        raise exception '% is no evidence field', left(coalesce(evidence_kind.field, 'null'), 100) using errcode = '22023',
            hint = 'docs/DISPUTES.md lists the fields, by Stripe''s names.';
    end if;
    if known <> 'product' and (evidence_kind.phase = 'appeal') <> starts_with(evidence_kind.field, 'appeal.') then
        raise exception '% is no evidence of the phase %', evidence_kind.field, evidence_kind.phase using errcode = '22023',
            hint = 'An appeal takes appeal.card.reason_for_filing and appeal.card.supporting_files[0], [1] and so on; other phases take the other fields.';
    end if;
    return known;
end
$$;
revoke all on function clawback.evidence_kind(text, text) from public;

-- Refuses a text that its field cannot hold.
create function clawback.check_evidence_text(field text, value jsonb, phase text) returns void
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
declare
    kind text := clawback.evidence_kind(check_evidence_text.field, check_evidence_text.phase);
    given text := check_evidence_text.value #>> '{}';
    allowed record;
begin
    if kind = 'file' then
        raise exception '% takes a file', field using errcode = '22023',
            hint = 'Attach it with attach_evidence_file, or put the text into uncategorized_text.';
    end if;
    if kind = 'flag' and given is distinct from 'true' then
        raise exception '% must be true; it is %', field, left(value::text, 50) using errcode = '22023',
            hint = 'Remove it with null.';
    end if;
    if kind = 'product' and given not in ('physical', 'digital', 'service') then
        raise exception '% must be physical, digital or service; it is %', field, left(given, 50) using errcode = '22023';
    end if;
    if kind = 'merchandise' and given not in ('merchandise', 'services') then
        raise exception '% must be merchandise or services; it is %', field, left(given, 50) using errcode = '22023';
    end if;
    if kind = 'charge' and given !~ '^(ch|py)_[A-Za-z0-9]+$' then
        raise exception '% must be the ID of a charge, ch_… or py_…; it is %', field, left(given, 50) using errcode = '22023';
    end if;
    if jsonb_typeof(value) <> 'string' and kind <> 'flag' then
        raise exception '% must be text; it is %', field, left(value::text, 50) using errcode = '22023';
    end if;
    select f.* into allowed from clawback.evidence_fields() f where f.field = clawback.evidence_field_name(check_evidence_text.field);
    if btrim(given) = '' then
        raise exception '% is empty', check_evidence_text.field using errcode = '22023', hint = 'Remove it with null.';
    end if;
    if char_length(given) < allowed.shortest then
        raise exception '% must have at least % characters; it has %', check_evidence_text.field, allowed.shortest,
            char_length(given) using errcode = '22023';
    end if;
    if char_length(given) > allowed.longest then
        raise exception '% may have at most % characters; it has %', check_evidence_text.field, allowed.longest,
            char_length(given) using errcode = '22023';
    end if;
end
$$;
revoke all on function clawback.check_evidence_text(text, jsonb, text) from public;

-- The type of a file, by how its content begins; null for any other than Stripe takes.
create function clawback.evidence_type(content bytea) returns text
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return case
        when substr(content, 1, 5) = '%PDF-'::bytea then 'application/pdf'
        when substr(content, 1, 3) = E'\\xffd8ff'::bytea then 'image/jpeg'
        when substr(content, 1, 8) = E'\\x89504e470d0a1a0a'::bytea then 'image/png'
    end;
end
$$;
revoke all on function clawback.evidence_type(bytea) from public;

-- The dispute as it was last shown by Stripe; null when the body is gone, or is no JSON to Postgres.
create function clawback.dispute_as_shown(dispute_id text) returns jsonb
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    body text;
begin
    select y.payload into body
    from clawback.events e
    join clawback.event_payloads y on y.event_id = e.event_id
    where e.object_id = dispute_as_shown.dispute_id
    order by e.created_at desc nulls last, e.seq desc
    limit 1;
    return body::jsonb -> 'data' -> 'object';
exception when data_exception then
    return null;
end
$$;
revoke all on function clawback.dispute_as_shown(text) from public;

-- Whether a network charges a fee for a response, which a person must acknowledge. Any one of the signs is enough
-- (docs.stripe.com/disputes/api/visa-compliance).
create function clawback.is_compliance(dispute clawback.disputes) returns boolean
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return dispute.phase = 'compliance' or dispute.reason is not distinct from 'noncompliant'
        or coalesce(dispute.enhanced_eligibility ?| array['visa_compliance', 'mastercard_compliance'], false);
end
$$;
revoke all on function clawback.is_compliance(clawback.disputes) from public;

-- The characters of all texts among these fields: what is sent, and is no file.
create function clawback.evidence_characters(fields jsonb) returns bigint
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (
        select coalesce(sum(char_length(e.value)), 0)
        from jsonb_each_text(evidence_characters.fields) e
        where e.key <> 'product_kind'
            and not exists (select from clawback.evidence_fields() f where f.field = e.key and f.kind = 'file'));
end
$$;
revoke all on function clawback.evidence_characters(jsonb) from public;

-- What keeps a draft from being submitted, in words.
create function clawback.evidence_problems(response clawback.dispute_responses, dispute clawback.disputes) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_problems text[] := '{}';
    file record;
    entry record;
    characters bigint;
    all_pages bigint;
    all_bytes bigint;
    placeholder text;
begin
    -- What Stripe filled in by itself is no response.
    if response.fields - 'product_kind' = '{}' and not exists (
        select from clawback.evidence_files f where f.dispute_id = response.dispute_id and f.phase = response.phase) then
        found_problems := found_problems || 'nothing is staged'::text;
    end if;
    if clawback.is_compliance(dispute) and response.phase <> 'appeal'
        and not response.fields ?| array['enhanced_evidence.visa_compliance.fee_acknowledged',
            'enhanced_evidence.mastercard_compliance.fee_acknowledged'] then
        found_problems := found_problems || format('the network charges a fee for the response, which a person must accept: stage %s',
            case when dispute.enhanced_eligibility ? 'mastercard_compliance'
                then 'enhanced_evidence.mastercard_compliance.fee_acknowledged'
                else 'enhanced_evidence.visa_compliance.fee_acknowledged' end);
    end if;
    for entry in select e.key, e.value from jsonb_each_text(response.fields) e order by e.key loop
        -- Of a letter that nobody finished; logs and mails hold other things in angle brackets.
        placeholder := substring(entry.value from
            E'(?i)<[^<>@]{0,40}\\y(?:date|name|amount|number|address|carrier|tracking|reason|product|customer|company|insert|your)\\y[^<>@]{0,40}>|\\{\\{[^}]{0,60}\\}\\}');
        if placeholder is not null and entry.key <> 'access_activity_log' then
            found_problems := found_problems || format('%s has the placeholder %s', entry.key, placeholder);
        end if;
    end loop;
    for file in
        select f.field, f.pages, f.unreadable from clawback.evidence_files f
        where f.dispute_id = response.dispute_id and f.phase = response.phase and f.pages is null
        order by f.field
    loop
        found_problems := found_problems || case when file.unreadable is null
            then format('%s: its pages are not counted yet', file.field)
            else format('%s: the file %s', file.field, file.unreadable) end;
    end loop;
    characters := clawback.evidence_characters(response.fields || response.held);
    if characters > 150000 then
        found_problems := found_problems || format('all texts together may have at most 150000 characters; they have %s', characters);
    end if;
    select coalesce(sum(f.pages), 0), coalesce(sum(f.bytes), 0) into all_pages, all_bytes
    from clawback.evidence_files f where f.dispute_id = response.dispute_id and f.phase = response.phase;
    all_pages := all_pages + (characters + 2999) / 3000
        -- Pages of a file that Stripe holds are not known: at least one.
        + (select count(*) from jsonb_object_keys(response.held) h (field)
           join clawback.evidence_fields() f on f.field = h.field and f.kind = 'file');
    if all_pages > response.page_limit then
        found_problems := found_problems || format('all evidence may have at most %s pages; it has %s, text at 3000 characters a page included',
            response.page_limit, all_pages);
    end if;
    if all_bytes > 4500000 then
        found_problems := found_problems || format('all files together may have at most 4500000 bytes; they have %s', all_bytes);
    end if;
    return found_problems;
end
$$;
revoke all on function clawback.evidence_problems(clawback.dispute_responses, clawback.disputes) from public;

-- What the reason calls for and neither we nor Stripe have.
create function clawback.evidence_missing(response clawback.dispute_responses, dispute clawback.disputes) returns text[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    product text := coalesce(response.fields ->> 'product_kind', (select s.product_kind from clawback.settings s), 'physical');
begin
    if response.phase = 'appeal' then
        return case when response.fields ? 'appeal.card.reason_for_filing' then '{}'
            else array['appeal.card.reason_for_filing'] end;
    end if;
    return array(
        select c.field from clawback.evidence_called_for(dispute.reason, product) c
        where c.is_strong and not response.fields ? c.field and not response.held ? c.field
            and not exists (select from clawback.evidence_files f
                where f.dispute_id = response.dispute_id and f.phase = response.phase and f.field = c.field)
        order by c.place);
end
$$;
revoke all on function clawback.evidence_missing(clawback.dispute_responses, clawback.disputes) from public;

-- Derives again what depends on the dispute as Stripe shows it: what it holds, what is missing, what is wrong.
create function clawback.refresh_response(dispute_id text, phase text) returns clawback.dispute_responses
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response clawback.dispute_responses;
    dispute clawback.disputes;
    shown jsonb := clawback.dispute_as_shown(refresh_response.dispute_id);
begin
    select r.* into response from clawback.dispute_responses r
    where r.dispute_id = refresh_response.dispute_id and r.phase = refresh_response.phase
    for update;
    select d.* into dispute from clawback.disputes d where d.dispute_id = refresh_response.dispute_id;
    response.held := coalesce((
        select jsonb_object_agg(e.key, e.value) from jsonb_each(shown -> 'evidence') e
        where jsonb_typeof(e.value) = 'string' and e.value <> '""' and e.key <> all(response.staged_fields)
            and not response.fields ? e.key and not exists (
                select from clawback.evidence_files f
                where f.dispute_id = response.dispute_id and f.phase = response.phase and f.field = e.key)),
        case when shown is null then response.held else '{}' end);
    response.page_limit := case when dispute.card_brand = 'mastercard' then 19 else 49 end;
    response.missing := clawback.evidence_missing(response, dispute);
    response.problems := clawback.evidence_problems(response, dispute);
    update clawback.dispute_responses r
    set held = response.held, page_limit = response.page_limit, missing = response.missing, problems = response.problems
    where r.dispute_id = response.dispute_id and r.phase = response.phase
        and (r.held, r.page_limit, r.missing, r.problems)
            is distinct from (response.held, response.page_limit, response.missing, response.problems);
    return response;
end
$$;
revoke all on function clawback.refresh_response(text, text) from public;

create view clawback_v1.dispute_responses as
select r.dispute_id, r.phase, r.state, r.fields,
       coalesce((select jsonb_agg(jsonb_build_object('field', f.field, 'name', f.name, 'type', f.content_type,
                            'bytes', f.bytes, 'pages', f.pages, 'sha256', f.sha256) order by f.field)
                 from clawback.evidence_files f where f.dispute_id = r.dispute_id and f.phase = r.phase), '[]') as files,
       r.missing, r.version, r.staged_by, r.submitted_by, r.error, r.submitted_at, r.updated_at, r.held, r.problems,
       r.staged_version is not null and r.staged_version = r.version as is_staged, r.former_method, r.accept_after
from clawback.dispute_responses r;
comment on view clawback_v1.dispute_responses is
    'One row per response to a dispute in one phase: what is staged, its files, and its outcome. What was submitted stays as it was sent. Contains personal data: granted by --respond only.';
comment on column clawback_v1.dispute_responses.dispute_id is 'The dispute.';
comment on column clawback_v1.dispute_responses.phase is 'inquiry, chargeback, appeal or compliance: a dispute that enters another phase takes another response.';
comment on column clawback_v1.dispute_responses.state is 'draft, submit_requested, submitted, submitted_elsewhere (by somebody else, such as in the Dashboard), rejected (refused by Stripe, see error: it can be changed and submitted again), accept_requested or accepted.';
comment on column clawback_v1.dispute_responses.fields is 'Text by evidence field, by Stripe''s names; and product_kind: physical, digital or service.';
comment on column clawback_v1.dispute_responses.files is 'Array of {field, name, type, bytes, pages, sha256}. pages is null until they are counted, and when the file cannot be read.';
comment on column clawback_v1.dispute_responses.missing is 'Evidence fields that the reason calls for and that are not there.';
comment on column clawback_v1.dispute_responses.version is 'Rises with every change. Functions that are given a version refuse to change a draft that has another.';
comment on column clawback_v1.dispute_responses.staged_by is 'Who changed the draft last.';
comment on column clawback_v1.dispute_responses.submitted_by is 'Who requested submission or acceptance; null while nobody did.';
comment on column clawback_v1.dispute_responses.error is 'What Stripe refused last, with its error code and request ID; null since it succeeded.';
comment on column clawback_v1.dispute_responses.submitted_at is 'When it was submitted or the dispute accepted; null before.';
comment on column clawback_v1.dispute_responses.updated_at is 'When it last changed.';
comment on column clawback_v1.dispute_responses.held is 'What Stripe filled in by itself: text or file ID by evidence field. Sent as well, unless a field of the draft replaces it.';
comment on column clawback_v1.dispute_responses.problems is 'What keeps the draft from being submitted, in words. Empty: it can be.';
comment on column clawback_v1.dispute_responses.is_staged is 'Stripe holds this version, not submitted.';
comment on column clawback_v1.dispute_responses.former_method is 'How Stripe would have responded by itself, before that was set to manual; null where Stripe offers no such thing.';
comment on column clawback_v1.dispute_responses.accept_after is 'When the dispute is accepted automatically, by the configured policy. Any change of the draft cancels that.';
