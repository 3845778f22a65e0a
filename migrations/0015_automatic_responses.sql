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
