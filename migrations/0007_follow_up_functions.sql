-- Functions for consumers of follow-ups: claim some, commit, work, then end each lease.
--
-- Functions run with the owner's rights, fix their search_path and qualify every name. Nobody may execute them without
-- a grant. Their arguments and results never change.

-- In SQL, because plpgsql does not allow an argument and a result column of the same name; hence $1 to $5.
create function clawback_v1.claim_follow_ups(
    consumer text, kinds text[], max_count integer default 10, lease interval default '60 seconds',
    livemode boolean default null
) returns table (
    id bigint, kind text, subject text, round text, key text, order_id text, payment_id text, account text,
    livemode boolean, payload jsonb, attempt integer, max_attempts integer, due_at timestamptz, lease_token uuid,
    leased_until timestamptz
)
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select * from clawback.lease_follow_ups($1, $2, $3, $4, $5)
$$;
comment on function clawback_v1.claim_follow_ups(text, text[], integer, interval, boolean) is
    'Leases up to max_count (1 to 1000, default 10) ready follow-ups of these kinds to consumer, for lease (1 second to 1 hour, default 60 seconds); of live or test mode only when livemode is given. Skips what other consumers hold. An expired lease counts as an attempt, and the follow-up becomes ready again. Commit, do the work, then end each lease with its lease_token.';

create function clawback_v1.complete_follow_up(id bigint, lease_token uuid, result jsonb default null) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if octet_length(complete_follow_up.result::text) > 16384 then
        raise exception 'complete_follow_up: result must have at most 16 kB' using errcode = '22023';
    end if;
    update clawback.follow_ups f
    set state = 'done', finished_at = clock_timestamp(), leased_until = null, last_error = null,
        result = complete_follow_up.result
    where f.id = complete_follow_up.id and f.state = 'leased' and f.lease_token = complete_follow_up.lease_token;
    return found or exists (
        select from clawback.follow_ups f
        where f.id = complete_follow_up.id and f.state = 'done' and f.lease_token = complete_follow_up.lease_token);
end
$$;
comment on function clawback_v1.complete_follow_up(bigint, uuid, jsonb) is
    'Marks the follow-up as done and keeps result (at most 16 kB of JSON, no personal data). Returns false when the lease was lost: another consumer has it or had it. Calling it again with the same lease_token returns true and keeps the first result.';

create function clawback_v1.fail_follow_up(id bigint, lease_token uuid, error text, retry_in interval default null)
returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    next_state text;
begin
    if fail_follow_up.retry_in not between interval '0' and interval '30 days' then
        raise exception 'fail_follow_up: retry_in must be between 0 and 30 days' using errcode = '22023';
    end if;
    update clawback.follow_ups f
    set state = case when not f.wanted then 'cancelled' when f.attempts >= f.max_attempts then 'dead' else 'ready' end,
        finished_at = case when not f.wanted or f.attempts >= f.max_attempts then clock_timestamp() end,
        -- 5 s, 10 s, 20 s … 1 hour at most, with 25 % jitter so that many do not retry at once.
        run_at = case when not f.wanted or f.attempts >= f.max_attempts then f.run_at else clock_timestamp() + coalesce(
            fail_follow_up.retry_in,
            least(interval '1 hour', interval '5 seconds' * power(2, least(f.attempts - 1, 20))) * (0.75 + random() / 2)) end,
        leased_until = null,
        lease_token = null,
        last_error = left(fail_follow_up.error, 2000)
    where f.id = fail_follow_up.id and f.state = 'leased' and f.lease_token = fail_follow_up.lease_token
    returning f.state into next_state;
    return next_state;
end
$$;
comment on function clawback_v1.fail_follow_up(bigint, uuid, text, interval) is
    'Records a failed attempt. Returns the new state: ready (claimable after retry_in, by default after exponential back-off from 5 seconds to 1 hour), dead when the attempts are used up, or cancelled when it is no longer wanted; null when the lease was lost.';

create function clawback_v1.give_up_follow_up(id bigint, lease_token uuid, error text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    next_state text;
begin
    if coalesce(give_up_follow_up.error, '') = '' then
        raise exception 'give_up_follow_up: say why follow-up % cannot succeed', give_up_follow_up.id
            using errcode = '22023';
    end if;
    update clawback.follow_ups f
    set state = case when f.wanted then 'dead' else 'cancelled' end, finished_at = clock_timestamp(),
        leased_until = null, lease_token = null, last_error = left(give_up_follow_up.error, 2000)
    where f.id = give_up_follow_up.id and f.state = 'leased' and f.lease_token = give_up_follow_up.lease_token
    returning f.state into next_state;
    return next_state;
end
$$;
comment on function clawback_v1.give_up_follow_up(bigint, uuid, text) is
    'Ends a follow-up that cannot succeed however often it is tried. Returns the new state: dead, so that a person looks at it, or cancelled when it is no longer wanted; null when the lease was lost.';

create function clawback_v1.snooze_follow_up(id bigint, lease_token uuid, until timestamptz) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    is_wanted boolean;
begin
    if snooze_follow_up.until is null or snooze_follow_up.until > moment + interval '90 days' then
        raise exception 'snooze_follow_up: until must be at most 90 days ahead' using errcode = '22023';
    end if;
    update clawback.follow_ups f
    set state = case when f.wanted then 'ready' else 'cancelled' end,
        finished_at = case when not f.wanted then moment end,
        attempts = f.attempts - 1,
        -- A deadline in the past is ignored.
        run_at = case when f.wanted then greatest(moment, least(snooze_follow_up.until,
            case when f.due_at > moment then f.due_at end)) else f.run_at end,
        rescheduled = f.wanted,
        leased_until = null,
        lease_token = null
    where f.id = snooze_follow_up.id and f.state = 'leased' and f.lease_token = snooze_follow_up.lease_token
    returning f.wanted into is_wanted;
    return coalesce(is_wanted, false);
end
$$;
comment on function clawback_v1.snooze_follow_up(bigint, uuid, timestamptz) is
    'Hands the follow-up back until the given time (at most 90 days ahead, and never past due_at) without counting an attempt: for work that waits for a person or another system. Returns false when the lease was lost or the follow-up is no longer wanted.';

create function clawback_v1.extend_follow_up(id bigint, lease_token uuid, lease interval) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if extend_follow_up.lease is null
        or extend_follow_up.lease not between interval '1 second' and interval '1 hour' then
        raise exception 'extend_follow_up: lease must be between 1 second and 1 hour' using errcode = '22023';
    end if;
    update clawback.follow_ups f
    set leased_until = clock_timestamp() + extend_follow_up.lease
    where f.id = extend_follow_up.id and f.state = 'leased' and f.wanted
        and f.lease_token = extend_follow_up.lease_token;
    return found;
end
$$;
comment on function clawback_v1.extend_follow_up(bigint, uuid, interval) is
    'Extends the lease to lease (1 second to 1 hour) from now. Returns false when the lease was lost or the follow-up is no longer wanted: stop working on it.';

revoke all on all functions in schema clawback_v1 from public;
