-- Responding to disputes: staging evidence, attaching files, submitting, accepting. Every change locks the payment and the
-- response, raises the version, and is recorded in actions.

-- The dispute, with its payment locked: no batch changes it meanwhile.
create function clawback.lock_dispute(dispute_id text) returns clawback.disputes
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes;
    is_locked boolean;
begin
    perform from clawback.payments p
    join clawback.disputes d on d.payment_id = p.payment_id
    where d.dispute_id = lock_dispute.dispute_id
    for no key update of p;
    is_locked := found;
    -- A statement of its own: it sees what was committed while the lock was awaited.
    select d.* into dispute from clawback.disputes d where d.dispute_id = lock_dispute.dispute_id;
    if found and not is_locked then
        raise exception 'the payment of dispute % changed meanwhile', lock_dispute.dispute_id using errcode = '40001',
            hint = 'Try again.';
    end if;
    if not found then
        raise exception 'dispute % is unknown', left(coalesce(lock_dispute.dispute_id, 'null'), 255) using errcode = 'P0002';
    end if;
    return dispute;
end
$$;
revoke all on function clawback.lock_dispute(text) from public;

-- Why a dispute takes no evidence now; null while it does.
create function clawback.why_closed(dispute clawback.disputes) returns text
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return case
        when dispute.can_respond then null
        when dispute.outcome is not null then format('it is over: its status is %s', dispute.status)
        when dispute.status like '%under_review' then 'evidence was submitted, and the bank decides'
        when dispute.phase = 'inquiry' and dispute.payment_method = 'klarna'
            then 'an inquiry of Klarna takes no evidence: a refund of the disputed amount ends it'
        when dispute.status not like '%needs_response' then format('its status is %s', dispute.status)
        when dispute.submission_count > 0 then 'evidence was submitted'
        else format('its payment method %s takes none, or Stripe allows no response', coalesce(dispute.payment_method, ''))
    end;
end
$$;
revoke all on function clawback.why_closed(clawback.disputes) from public;

-- Begins the response of the dispute's phase, once: that of a chargeback with a copy of what the inquiry had.
create function clawback.begin_response(dispute clawback.disputes) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into clawback.dispute_responses (dispute_id, phase, account, livemode, baseline, version, fields, letter,
        staged_by, is_touched, staged_fields)
    -- Above the former version: who reviewed that has not seen this.
    select dispute.dispute_id, dispute.phase, p.account, p.livemode, dispute.submission_count,
           case when former.version > 0 then former.version + 1 else 0 end, coalesce(former.fields, '{}'), former.letter, former.staged_by,
           coalesce(former.is_touched, false), coalesce(former.staged_fields, '{}')
    from clawback.payments p
    left join clawback.dispute_responses former
        on former.dispute_id = dispute.dispute_id and former.phase = 'inquiry' and dispute.phase = 'chargeback'
    where p.payment_id = dispute.payment_id
    on conflict on constraint dispute_responses_pkey do nothing;
    if not found then
        return;
    end if;
    if dispute.phase = 'chargeback' then
        insert into clawback.evidence_files (dispute_id, phase, field, name, content_type, content, bytes, sha256, pages, unreadable)
        select f.dispute_id, dispute.phase, f.field, f.name, f.content_type, f.content, f.bytes, f.sha256, f.pages, f.unreadable
        from clawback.evidence_files f
        where f.dispute_id = dispute.dispute_id and f.phase = 'inquiry' and f.content is not null;
    end if;
    perform clawback.refresh_response(dispute.dispute_id, dispute.phase);
end
$$;
revoke all on function clawback.begin_response(clawback.disputes) from public;

-- The response that is to be changed, locked: an error when it cannot be, or is not the version that the caller saw.
create function clawback.open_draft(dispute clawback.disputes, version bigint) returns clawback.dispute_responses
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response clawback.dispute_responses;
    closed text := clawback.why_closed(dispute);
begin
    if closed is not null then
        raise exception 'dispute % takes no evidence: %', dispute.dispute_id, closed using errcode = '55000';
    end if;
    perform clawback.begin_response(dispute);
    select r.* into strict response
    from clawback.dispute_responses r
    where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase
    for update;
    if response.state not in ('draft', 'rejected') then
        raise exception 'the response to dispute % in the phase % cannot be changed: it is %', dispute.dispute_id,
            dispute.phase, response.state using errcode = '55000';
    end if;
    if response.version <> open_draft.version then
        raise exception 'the response to dispute % is version %, not %: somebody changed it', dispute.dispute_id,
            response.version, open_draft.version using errcode = 'CB409', hint = 'Look at it again before you change it.';
    end if;
    return response;
end
$$;
revoke all on function clawback.open_draft(clawback.disputes, bigint) from public;

-- Whether a running service has a key for the mode of a response.
create function clawback.has_key(livemode boolean) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return exists (select from clawback.api_keys k where k.livemode = has_key.livemode);
end
$$;
revoke all on function clawback.has_key(boolean) from public;

-- Enqueues a call that is about a response.
create function clawback.enqueue_response(response clawback.dispute_responses, kind text, round text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform clawback.enqueue_call(enqueue_response.kind, response.dispute_id || '/' || response.phase,
        enqueue_response.round, response.account, response.livemode);
end
$$;
revoke all on function clawback.enqueue_response(clawback.dispute_responses, text, text) from public;

-- Stages a complete draft at Stripe, so that a refusal comes while there is time; and any draft from which something was
-- removed that Stripe holds. Nothing is sent for review.
create function clawback.stage_if_complete(response clawback.dispute_responses) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if response.staged_version is distinct from response.version and clawback.has_key(response.livemode)
        and (response.missing = '{}' and response.problems = '{}' or exists (
            select from unnest(response.staged_fields) s (field)
            where not response.fields ? s.field and not exists (
                select from clawback.evidence_files f
                where f.dispute_id = response.dispute_id and f.phase = response.phase and f.field = s.field))) then
        perform clawback.enqueue_response(response, 'stage', response.version::text);
    end if;
end
$$;
revoke all on function clawback.stage_if_complete(clawback.dispute_responses) from public;

-- Keeps Stripe from responding by itself, once a person works on the response: what is only here counts as nothing there
-- (docs.stripe.com/disputes/smart-disputes).
create function clawback.respond_manually(response clawback.dispute_responses, dispute clawback.disputes) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if response.is_manual or coalesce(dispute.intended_submission_method, 'manual') = 'manual'
        or not clawback.has_key(response.livemode) then
        return;
    end if;
    update clawback.dispute_responses r
    set former_method = coalesce(r.former_method, dispute.intended_submission_method), is_manual = true
    where r.dispute_id = response.dispute_id and r.phase = response.phase;
    perform clawback.enqueue_response(response, 'intend', response.version::text);
end
$$;
revoke all on function clawback.respond_manually(clawback.dispute_responses, clawback.disputes) from public;

-- The end of every change of a draft: its next version, and what follows from it. Returns the version.
create function clawback.changed_draft(dispute clawback.disputes, by_person boolean) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response clawback.dispute_responses;
begin
    update clawback.dispute_responses r
    set version = r.version + 1, state = 'draft', staged_by = clawback.acting(), accept_after = null,
        is_touched = r.is_touched or by_person, late_version = null, late_at = null, updated_at = now()
    where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase;
    response := clawback.refresh_response(dispute.dispute_id, dispute.phase);
    -- A draft that begins by itself changes nothing at Stripe.
    if by_person then
        perform clawback.stage_if_complete(response);
        perform clawback.respond_manually(response, dispute);
    end if;
    return response.version;
end
$$;
revoke all on function clawback.changed_draft(clawback.disputes, boolean) from public;

-- The body of clawback_v1.stage_evidence. A draft that begins by itself is not by a person.
create function clawback.stage(dispute clawback.disputes, fields jsonb, version bigint, by_person boolean) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response clawback.dispute_responses;
    entry record;
    all_fields jsonb;
    characters bigint;
begin
    if jsonb_typeof(stage.fields) is distinct from 'object' then
        raise exception 'fields must be an object of text by evidence field' using errcode = '22023',
            hint = 'Such as {"customer_name": "Jane Doe"}; null removes a field.';
    end if;
    response := clawback.open_draft(dispute, stage.version);
    for entry in select e.key, e.value from jsonb_each(stage.fields) e order by e.key loop
        if jsonb_typeof(entry.value) = 'null' then
            perform clawback.evidence_kind(entry.key, dispute.phase);
        else
            perform clawback.check_evidence_text(entry.key, entry.value, dispute.phase);
        end if;
        if entry.key like '%.fee_acknowledged' and not clawback.is_compliance(dispute) then
            raise exception '% is for compliance disputes: dispute % has no such fee', entry.key, dispute.dispute_id
                using errcode = '22023';
        end if;
    end loop;
    select coalesce(jsonb_object_agg(e.key, case jsonb_typeof(e.value) when 'boolean' then '"true"' else e.value end), '{}')
    into all_fields
    from jsonb_each(response.fields || stage.fields) e
    where jsonb_typeof(e.value) <> 'null';
    characters := clawback.evidence_characters(response.held || all_fields);
    if characters > 150000 then
        raise exception 'all texts together may have at most 150000 characters; they would have %', characters
            using errcode = '22023', hint = 'What Stripe filled in by itself counts: column held of dispute_responses.';
    end if;
    update clawback.dispute_responses r set fields = all_fields
    where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase;
    perform clawback.record_action('stage_evidence', 'dispute', dispute.dispute_id, null, jsonb_build_object(
        'phase', dispute.phase, 'version', response.version + 1, 'fields',
        (select coalesce(jsonb_agg(k order by k), '[]') from jsonb_object_keys(stage.fields) k)));
    return clawback.changed_draft(dispute, by_person);
end
$$;
revoke all on function clawback.stage(clawback.disputes, jsonb, bigint, boolean) from public;

-- What an attached file must be, and its type.
create function clawback.check_evidence_file(field text, phase text, file_name text, content_type text, content bytea)
returns text
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_type text := clawback.evidence_type(check_evidence_file.content);
begin
    if clawback.evidence_kind(check_evidence_file.field, check_evidence_file.phase) <> 'file' then
        raise exception '% takes text, not a file', check_evidence_file.field using errcode = '22023',
            hint = 'Stage it with stage_evidence.';
    end if;
    if coalesce(btrim(check_evidence_file.file_name), '') = '' or octet_length(check_evidence_file.file_name) > 255
        or check_evidence_file.file_name ~ '[[:cntrl:]]' then
        raise exception '%: file_name must have 1 to 255 bytes, without control characters', check_evidence_file.field
            using errcode = '22023';
    end if;
    if coalesce(octet_length(check_evidence_file.content), 0) = 0 then
        raise exception '%: the file % is empty', check_evidence_file.field, check_evidence_file.file_name using errcode = '22023';
    end if;
    if octet_length(check_evidence_file.content) > 4500000 then
        raise exception '%: a file may have at most 4500000 bytes; % has %', check_evidence_file.field,
            check_evidence_file.file_name, octet_length(check_evidence_file.content) using errcode = '22023';
    end if;
    if found_type is null then
        raise exception '%: a file must be a PDF, JPEG or PNG; % is none by its content', check_evidence_file.field,
            check_evidence_file.file_name using errcode = '22023';
    end if;
    if found_type <> coalesce(nullif(check_evidence_file.content_type, 'image/jpg'), 'image/jpeg')
        and check_evidence_file.content_type is not null then
        raise exception '%: content_type is %, but % is % by its content', check_evidence_file.field,
            left(check_evidence_file.content_type, 100), check_evidence_file.file_name, found_type using errcode = '22023',
            hint = 'content_type may be null.';
    end if;
    return found_type;
end
$$;
revoke all on function clawback.check_evidence_file(text, text, text, text, bytea) from public;

-- The body of clawback_v1.attach_evidence_file.
create function clawback.attach(
    dispute clawback.disputes, field text, file_name text, content_type text, content bytea, version bigint, by_person boolean
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response clawback.dispute_responses;
    found_type text;
    others bigint;
begin
    response := clawback.open_draft(dispute, attach.version);
    found_type := clawback.check_evidence_file(attach.field, dispute.phase, attach.file_name, attach.content_type, attach.content);
    select coalesce(sum(f.bytes), 0) into others
    from clawback.evidence_files f
    where f.dispute_id = dispute.dispute_id and f.phase = dispute.phase and f.field <> attach.field;
    if others + octet_length(attach.content) > 4500000 then
        raise exception '%: all files together may have at most 4500000 bytes; with % they would have %', attach.field,
            attach.file_name, others + octet_length(attach.content) using errcode = '22023';
    end if;
    insert into clawback.evidence_files as f (dispute_id, phase, field, name, content_type, content, bytes, sha256)
    values (dispute.dispute_id, dispute.phase, attach.field, attach.file_name, found_type, attach.content,
        octet_length(attach.content), encode(sha256(attach.content), 'hex'))
    on conflict on constraint evidence_files_pkey do update
    set id = gen_random_uuid(), name = excluded.name, content_type = excluded.content_type, content = excluded.content,
        bytes = excluded.bytes, sha256 = excluded.sha256, pages = null, unreadable = null, file_id = null, attached_at = now()
    where f.sha256 <> excluded.sha256 or f.name <> excluded.name or f.content is null;
    perform clawback.record_action('attach_evidence_file', 'dispute', dispute.dispute_id, null, jsonb_build_object(
        'phase', dispute.phase, 'version', response.version + 1, 'field', attach.field,
        'bytes', octet_length(attach.content), 'sha256', encode(sha256(attach.content), 'hex')));
    return clawback.changed_draft(dispute, by_person);
end
$$;
revoke all on function clawback.attach(clawback.disputes, text, text, text, bytea, bigint, boolean) from public;

create function clawback_v1.stage_evidence(dispute_id text, fields jsonb, version bigint default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return clawback.stage(clawback.lock_dispute(stage_evidence.dispute_id), stage_evidence.fields, stage_evidence.version, true);
end
$$;
comment on function clawback_v1.stage_evidence(text, jsonb, bigint) is
    'Puts text into the draft of a response to a dispute, and returns the draft''s new version. fields is an object of text by evidence field, by Stripe''s names with dots where they nest; null removes a field. Also product_kind: physical, digital or service. With a version: only if the draft is still that version, else an error with SQLSTATE CB409. Stripe''s limits are checked at once. Nothing is submitted. Once nothing is missing, the draft is staged at Stripe, so that a refusal comes while there is time.';

create function clawback_v1.attach_evidence_file(
    dispute_id text, field text, file_name text, content_type text, content bytea, version bigint default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    return clawback.attach(clawback.lock_dispute(attach_evidence_file.dispute_id), attach_evidence_file.field,
        attach_evidence_file.file_name, attach_evidence_file.content_type, attach_evidence_file.content,
        attach_evidence_file.version, true);
end
$$;
comment on function clawback_v1.attach_evidence_file(text, text, text, text, bytea, bigint) is
    'Attaches a file to an evidence field of the draft, in place of the one before, and returns the draft''s new version. PDF, JPEG or PNG by its content; content_type may be null. At most 4500000 bytes, all files together. The service counts its pages soon after; until then the draft cannot be submitted. version as in stage_evidence.';

create function clawback_v1.detach_evidence_file(dispute_id text, field text, version bigint default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes := clawback.lock_dispute(detach_evidence_file.dispute_id);
    response clawback.dispute_responses;
begin
    response := clawback.open_draft(dispute, detach_evidence_file.version);
    delete from clawback.evidence_files f
    where f.dispute_id = dispute.dispute_id and f.phase = dispute.phase and f.field = detach_evidence_file.field;
    if not found then
        raise exception 'the response to dispute % has no file %', dispute.dispute_id, left(detach_evidence_file.field, 100)
            using errcode = '22023';
    end if;
    perform clawback.record_action('detach_evidence_file', 'dispute', dispute.dispute_id, null, jsonb_build_object(
        'phase', dispute.phase, 'version', response.version + 1, 'field', detach_evidence_file.field));
    return clawback.changed_draft(dispute, true);
end
$$;
comment on function clawback_v1.detach_evidence_file(text, text, bigint) is
    'Removes the file of an evidence field from the draft, and returns the draft''s new version. version as in stage_evidence.';

-- Requests submission, and returns the new version; the draft must be open and locked.
create function clawback.request_submission(response clawback.dispute_responses) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not clawback.has_key(response.livemode) then
        raise exception 'no API key for % mode is configured: the response to dispute % cannot be submitted',
            case when response.livemode then 'live' else 'test' end, response.dispute_id
            using errcode = '55000', hint = 'Set STRIPE_API_KEYS for the service, and start it again.';
    end if;
    if response.problems <> '{}' then
        raise exception 'the response to dispute % cannot be submitted: %', response.dispute_id,
            array_to_string(response.problems, '; ') using errcode = '55000';
    end if;
    update clawback.dispute_responses r
    set state = 'submit_requested', attempt = r.attempt + 1, version = r.version + 1, submitted_by = clawback.acting(),
        error = null, accept_after = null, updated_at = now()
    where r.dispute_id = response.dispute_id and r.phase = response.phase
    returning r.* into response;
    perform clawback.enqueue_response(response, 'submit', response.attempt::text);
    perform clawback.record_action('submit_evidence', 'dispute', response.dispute_id, null,
        jsonb_build_object('phase', response.phase, 'version', response.version, 'missing', response.missing));
    return response.version;
end
$$;
revoke all on function clawback.request_submission(clawback.dispute_responses) from public;

create function clawback_v1.submit_evidence(dispute_id text, version bigint default null) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes := clawback.lock_dispute(submit_evidence.dispute_id);
    response clawback.dispute_responses := clawback.open_draft(dispute, submit_evidence.version);
begin
    response := clawback.refresh_response(dispute.dispute_id, dispute.phase);
    -- Returned and not raised, so that it is remembered: a second request of this version within the hour is sent.
    if dispute.evidence_due_by < now() and not (response.late_version is not distinct from response.version
        and response.late_at > now() - interval '1 hour') then
        update clawback.dispute_responses r
        set late_version = r.version, late_at = now(), updated_at = now(), error = format(
            'not submitted: the deadline was %s, %s ago', to_char(dispute.evidence_due_by at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
            date_trunc('second', now() - dispute.evidence_due_by))
        where r.dispute_id = response.dispute_id and r.phase = response.phase
        returning r.* into response;
        raise warning 'dispute %: %', response.dispute_id, response.error
            using hint = 'Submit the same version again within the hour to send it anyway: Stripe accepts late evidence without promise.';
        return null;
    end if;
    return clawback.request_submission(response);
end
$$;
comment on function clawback_v1.submit_evidence(text, bigint) is
    'Requests that the draft is submitted to the bank, once, and returns its new version: see dispute_responses for what Stripe says. It cannot be changed any more, unless Stripe refuses it. version as in stage_evidence: what was reviewed is what is sent. An error names what keeps it from being submitted. After the deadline: returns null the first time, with a warning and the column error; the same version is sent when it is submitted again within the hour.';

-- Requests acceptance, and returns the new version.
create function clawback.request_acceptance(dispute clawback.disputes) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response clawback.dispute_responses;
begin
    response := clawback.open_draft(dispute, null);
    if not clawback.has_key(response.livemode) then
        raise exception 'no API key for % mode is configured: dispute % cannot be accepted',
            case when response.livemode then 'live' else 'test' end, dispute.dispute_id
            using errcode = '55000', hint = 'Set STRIPE_API_KEYS for the service, and start it again.';
    end if;
    update clawback.dispute_responses r
    set state = 'accept_requested', attempt = r.attempt + 1, version = r.version + 1, submitted_by = clawback.acting(),
        error = null, accept_after = null, updated_at = now()
    where r.dispute_id = response.dispute_id and r.phase = response.phase
    returning r.* into response;
    perform clawback.enqueue_response(response, 'accept', response.attempt::text);
    perform clawback.record_action('accept_dispute', 'dispute', dispute.dispute_id, null, jsonb_build_object(
        'phase', dispute.phase, 'amount', dispute.amount, 'currency', dispute.currency));
    return response.version;
end
$$;
revoke all on function clawback.request_acceptance(clawback.disputes) from public;

create function clawback_v1.accept_dispute(dispute_id text, confirm_amount bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes := clawback.lock_dispute(accept_dispute.dispute_id);
begin
    if dispute.phase = 'inquiry' then
        raise exception 'dispute % is an inquiry, which accepting does not end', dispute.dispute_id
            using errcode = '55000', hint = case when dispute.payment_method = 'klarna'
                then 'Refund the disputed amount.' else 'Refund the payment in full, or submit evidence.' end;
    end if;
    if dispute.phase not in ('chargeback', 'compliance') or dispute.status <> 'needs_response' then
        raise exception 'dispute % cannot be accepted: its phase is %, its status %', dispute.dispute_id, dispute.phase,
            dispute.status using errcode = '55000';
    end if;
    if accept_dispute.confirm_amount is distinct from dispute.amount then
        raise exception 'dispute % is of % in minor units of %, not %: confirm the amount that is given up',
            dispute.dispute_id, dispute.amount, dispute.currency, coalesce(accept_dispute.confirm_amount::text, 'null') using errcode = '22023';
    end if;
    return clawback.request_acceptance(dispute);
end
$$;
comment on function clawback_v1.accept_dispute(text, bigint) is
    'Accepts a chargeback or compliance dispute as lost, which cannot be undone, and returns the response''s new version. confirm_amount must be the disputed amount, in minor units. Nothing more is charged: the amount and the fee were withdrawn already. An inquiry is not accepted: a refund or evidence ends it.';

-- Withdraws what a person was asked to mend about a dispute, but for one round.
create function clawback.withdraw_mend_evidence(dispute_id text, but_round text default null) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update clawback.follow_ups f
    set wanted = false, state = 'cancelled', finished_at = now()
    where f.kind = 'mend_evidence' and f.subject = withdraw_mend_evidence.dispute_id
        and f.round is distinct from withdraw_mend_evidence.but_round and f.state in ('ready', 'dead');
end
$$;
revoke all on function clawback.withdraw_mend_evidence(text, text) from public;

-- Records how many pages a file has, or why it cannot be read, unless it was replaced meanwhile; and what its draft lacks by
-- that. The response is locked first: whoever changes it meanwhile would derive its problems from what it was before.
create function clawback.record_pages(file uuid, pages integer, unreadable text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response record;
begin
    select r.dispute_id, r.phase into response
    from clawback.evidence_files f
    join clawback.dispute_responses r on r.dispute_id = f.dispute_id and r.phase = f.phase
    where f.id = record_pages.file
    for update of r;
    update clawback.evidence_files f
    set pages = record_pages.pages, unreadable = record_pages.unreadable
    where f.id = record_pages.file;
    if found then
        perform clawback.refresh_response(response.dispute_id, response.phase);
    end if;
end
$$;
revoke all on function clawback.record_pages(uuid, integer, text) from public;

-- Brings the open responses of these disputes in line with them: what Stripe holds, a submission that was made elsewhere, and
-- what a person need no longer mend.
create function clawback.settle_responses(dispute_ids text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    response record;
    dispute clawback.disputes;
begin
    for response in
        select r.dispute_id, r.phase, r.baseline
        from clawback.dispute_responses r
        where r.dispute_id = any(settle_responses.dispute_ids) and r.state in ('draft', 'rejected')
        order by r.dispute_id, r.phase
        for update
    loop
        select d.* into dispute from clawback.disputes d where d.dispute_id = response.dispute_id;
        perform clawback.refresh_response(response.dispute_id, response.phase);
        update clawback.dispute_responses r
        set state = 'submitted_elsewhere', submitted_at = now(), updated_at = now(), accept_after = null
        where r.dispute_id = response.dispute_id and r.phase = response.phase and dispute.phase = response.phase
            and dispute.submission_count > response.baseline;
        if not dispute.can_respond then
            perform clawback.withdraw_mend_evidence(response.dispute_id);
        end if;
    end loop;
    -- An inquiry that escalated is to be answered again, with what it had.
    for dispute in
        select d.* from clawback.disputes d
        where d.dispute_id = any(settle_responses.dispute_ids) and d.phase = 'chargeback' and d.can_respond
            and exists (select from clawback.dispute_responses r
                where r.dispute_id = d.dispute_id and r.phase = 'inquiry' and r.version > 0)
            and not exists (select from clawback.dispute_responses r
                where r.dispute_id = d.dispute_id and r.phase = d.phase)
        order by d.dispute_id
    loop
        perform clawback.begin_response(dispute);
    end loop;
end
$$;
revoke all on function clawback.settle_responses(text[]) from public;

revoke all on all functions in schema clawback_v1 from public;
