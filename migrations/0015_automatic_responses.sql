-- What the service does about responses by itself, by the configured policy. Each function decides again under the lock: the
-- caller's list of disputes may be old.

-- Submits a complete draft when the deadline is near. Never an appeal or a dispute whose response has a fee. Returns whether.
create function clawback.submit_automatically(dispute_id text, before interval) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes := clawback.lock_dispute(submit_automatically.dispute_id);
    response clawback.dispute_responses;
begin
    perform from clawback.dispute_responses r
    where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase and r.state = 'draft'
    for update;
    if not found or clawback.why_closed(dispute) is not null or dispute.phase not in ('inquiry', 'chargeback')
        or clawback.is_compliance(dispute) or dispute.evidence_due_by is null
        or now() not between dispute.evidence_due_by - submit_automatically.before and dispute.evidence_due_by then
        return false;
    end if;
    response := clawback.refresh_response(dispute.dispute_id, dispute.phase);
    if response.missing <> '{}' or response.problems <> '{}' or not clawback.has_key(response.livemode) then
        return false;
    end if;
    perform clawback.request_submission(response);
    return true;
end
$$;
revoke all on function clawback.submit_automatically(text, interval) from public;

-- Whether the policy accepts a dispute: a chargeback that nobody works on, of an amount below the limit of its reason, in
-- the currency in which it was withdrawn.
create function clawback.is_acceptable(dispute clawback.disputes, below bigint, currency text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return dispute.phase = 'chargeback' and dispute.status = 'needs_response' and dispute.can_respond
        and not clawback.is_compliance(dispute) and dispute.settlement_currency is not distinct from is_acceptable.currency
        and dispute.amount_withdrawn > 0 and dispute.amount_withdrawn < is_acceptable.below
        and dispute.evidence_due_by > now();
end
$$;
revoke all on function clawback.is_acceptable(clawback.disputes, bigint, text) from public;

-- Announces that a dispute will be accepted after a while, once. Returns whether it did.
create function clawback.announce_acceptance(dispute_id text, below bigint, currency text, wait interval) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes := clawback.lock_dispute(announce_acceptance.dispute_id);
begin
    if clawback.is_acceptable(dispute, announce_acceptance.below, announce_acceptance.currency) is not true
        or dispute.evidence_due_by < now() + announce_acceptance.wait
        or not exists (select from clawback.payments p
            where p.payment_id = dispute.payment_id and clawback.has_key(p.livemode)) then
        return false;
    end if;
    perform clawback.begin_response(dispute);
    update clawback.dispute_responses r
    set accept_after = now() + announce_acceptance.wait, updated_at = now()
    where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase and r.state = 'draft'
        and (r.accept_after is null or r.accept_after < now() - interval '1 day') and not r.is_touched;
    if found then
        perform clawback.record_action('announce_acceptance', 'dispute', dispute.dispute_id, null, jsonb_build_object(
            'amount', dispute.amount_withdrawn, 'currency', dispute.settlement_currency, 'accept_after', now() + announce_acceptance.wait));
    end if;
    return found;
end
$$;
revoke all on function clawback.announce_acceptance(text, bigint, text, interval) from public;

-- Accepts a dispute whose announcement is over and that nobody touched meanwhile. Returns whether it did.
create function clawback.accept_automatically(dispute_id text, below bigint, currency text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes := clawback.lock_dispute(accept_automatically.dispute_id);
begin
    perform from clawback.dispute_responses r
    where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase and r.state = 'draft'
        and r.accept_after between now() - interval '1 day' and now() and not r.is_touched
    for update;
    if not found or clawback.is_acceptable(dispute, accept_automatically.below, accept_automatically.currency) is not true
        or not exists (select from clawback.dispute_responses r
            where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase and clawback.has_key(r.livemode)) then
        return false;
    end if;
    perform clawback.request_acceptance(dispute);
    return true;
end
$$;
revoke all on function clawback.accept_automatically(text, bigint, text) from public;

-- Lets Stripe respond by itself again, where nobody submitted until shortly before the deadline. Returns whether it did.
create function clawback.let_stripe_respond(dispute_id text, before interval) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    dispute clawback.disputes := clawback.lock_dispute(let_stripe_respond.dispute_id);
    response clawback.dispute_responses;
begin
    update clawback.dispute_responses r set is_manual = false
    where r.dispute_id = dispute.dispute_id and r.phase = dispute.phase and r.state in ('draft', 'rejected') and r.is_manual
        and now() between dispute.evidence_due_by - let_stripe_respond.before and dispute.evidence_due_by
        and dispute.can_respond
    returning r.* into response;
    if not found then
        return false;
    end if;
    perform clawback.enqueue_response(response, 'intend', 'restore/' || response.version);
    return true;
end
$$;
revoke all on function clawback.let_stripe_respond(text, interval) from public;

-- What is to be done about disputes by itself, the most urgent first, at most 100 tasks. submit_before and respond_before are
-- seconds before a deadline, the first null where nothing is submitted by itself. reasons, limits and currencies are the policy
-- of acceptance: a reason, and the amount in minor units of the settlement currency below which its disputes are accepted.
create function clawback.desk_tasks(
    drafts boolean, submit_before double precision, respond_before double precision, reasons text[], limits bigint[],
    currencies text[]
) returns table (kind text, dispute_id text, file uuid, below bigint, currency text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with open_disputes as materialized (
        select * from clawback.disputes d where d.can_respond
    ), drafts as materialized (
        select r.*, d.evidence_due_by, r.missing = '{}' and r.problems = '{}' as is_complete,
               exists (select from clawback.api_keys k where k.livemode = r.livemode) as has_key
        from clawback.dispute_responses r
        join open_disputes d on d.dispute_id = r.dispute_id and d.phase = r.phase
        where r.state in ('draft', 'rejected')
    ), policy as (
        select * from unnest(desk_tasks.reasons, desk_tasks.limits, desk_tasks.currencies) as l (reason, below, currency)
    ), tasks as (
    select 'count' as kind, f.dispute_id, f.id as file, null::bigint as below, null::text as currency
    from clawback.evidence_files f
    where f.pages is null and f.unreadable is null and f.content is not null
    union all
    select 'stage', r.dispute_id, null, null, null from drafts r
    where r.is_complete and r.has_key and r.state = 'draft' and r.staged_version is distinct from r.version
        -- What nobody touched changes nothing at Stripe, until a day before it is submitted.
        and (r.is_touched or now() > r.evidence_due_by - make_interval(days => 1, secs => desk_tasks.submit_before))
        and not exists (select from clawback.api_calls c where c.kind = 'stage'
            and c.subject = r.dispute_id || '/' || r.phase and c.round = r.version::text)
    union all
    select 'draft', d.dispute_id, null, null, null from open_disputes d
    where desk_tasks.drafts and d.phase in ('inquiry', 'chargeback') and d.evidence_due_by > now()
        and not exists (select from clawback.dispute_responses r where r.dispute_id = d.dispute_id and r.phase = d.phase
            and r.version > 0)
    union all
    select 'submit', r.dispute_id, null, null, null from drafts r
    where r.is_complete and r.has_key and r.state = 'draft' and r.phase in ('inquiry', 'chargeback')
        and now() between r.evidence_due_by - make_interval(secs => desk_tasks.submit_before) and r.evidence_due_by
    union all
    select 'let_respond', r.dispute_id, null, null, null from drafts r
    where r.is_manual and r.has_key
        and now() between r.evidence_due_by - make_interval(secs => desk_tasks.respond_before) and r.evidence_due_by
    union all
    -- What was announced long ago, under a policy that was switched off since, is announced again.
    select case when r.accept_after > now() - interval '1 day' then 'accept' else 'announce' end, d.dispute_id, null, l.below, l.currency
    from open_disputes d
    join policy l on l.reason = d.reason and l.currency = d.settlement_currency and d.amount_withdrawn < l.below
    left join clawback.dispute_responses r on r.dispute_id = d.dispute_id and r.phase = d.phase
    where d.phase = 'chargeback' and d.status = 'needs_response' and d.amount_withdrawn > 0
        and exists (select from clawback.payments p join clawback.api_keys k on k.livemode = p.livemode
            where p.payment_id = d.payment_id)
        and d.evidence_due_by > now() and not coalesce(r.is_touched, false)
        and coalesce(r.state = 'draft' and (r.accept_after is null or r.accept_after <= now()), true)
    )
    select t.kind, t.dispute_id, t.file, t.below, t.currency
    from tasks t
    -- What is urgent must not wait behind what is many.
    order by array_position(array['submit', 'accept', 'let_respond', 'stage', 'count', 'announce', 'draft'], t.kind),
             t.dispute_id
    limit 100;
end
$$;
revoke all on function clawback.desk_tasks(boolean, double precision, double precision, text[], bigint[], text[]) from public;
