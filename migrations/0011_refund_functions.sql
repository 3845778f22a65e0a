-- Requesting a refund: what is left, what is refused, and the functions for services.

-- The ID of a request: version 8 of RFC 9562, from a SHA-256 hash. Version 5 needs SHA-1, which Postgres has only by an
-- extension. A separator that no part contains keeps ('a', 'bc') and ('ab', 'c') apart.
create function clawback.refund_request_id(account text, livemode boolean, payment_id text, request_key text) returns uuid
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
declare
    hash text := encode(sha256(convert_to(
        concat_ws(E'\x1f', 'clawback refund', account, livemode::text, payment_id, request_key), 'UTF8')), 'hex');
begin
    return (substr(hash, 1, 12) || '8' || substr(hash, 14, 3) || '8' || substr(hash, 18, 15))::uuid;
end
$$;
revoke all on function clawback.refund_request_id(text, boolean, text, text) from public;

-- What our requests reserve of a payment: those that no known refund has replaced yet.
create function clawback.reserved(payment_id text, source_id text) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce((
        select sum(q.amount)
        from clawback.refund_requests q
        where q.payment_id = reserved.payment_id and (reserved.source_id is null or q.source_id = reserved.source_id)
            and q.state in ('requested', 'sent', 'unknown', 'pending', 'succeeded')
            and not exists (select from clawback.refunds r where r.refund_id = q.refund_id)), 0);
end
$$;
revoke all on function clawback.reserved(text, text) from public;

-- What each capture of a payment can still bear; 0 while a chargeback is open.
create function clawback.refundable(of_payment clawback.payments)
returns table (source_id text, available bigint, unexplained bigint, has_transfer boolean, has_fee boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return query
    select c.object_id,
           case when c.charged_back then 0 else greatest(0, c.amount_captured - c.amount_refunded - c.amount_lost
               - clawback.reserved(of_payment.payment_id, c.object_id)) end,
           c.amount_unexplained, c.has_transfer, c.has_fee
    from jsonb_to_recordset(of_payment.captures) as c
        (object_id text, amount_captured bigint, amount_refunded bigint, amount_unexplained bigint, amount_lost bigint,
         charged_back boolean, has_transfer boolean, has_fee boolean);
end
$$;
revoke all on function clawback.refundable(clawback.payments) from public;

-- What is left of a payment after refunds, losses, open chargebacks and requests.
create function clawback.left_of(of_payment clawback.payments) returns bigint
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return greatest(0, coalesce(of_payment.amount_paid, 0) - of_payment.amount_refunded - of_payment.amount_lost
        - of_payment.amount_disputed - clawback.reserved(of_payment.payment_id, null));
end
$$;
revoke all on function clawback.left_of(clawback.payments) from public;

-- A request that exists already is the answer if it was made with the same arguments, else an error.
create function clawback.same_request(known clawback.refund_requests, amount bigint, reason text) returns uuid
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if known.requested_amount is distinct from same_request.amount or known.reason is distinct from same_request.reason then
        raise exception 'request % of payment % was made with other arguments: amount %, reason %', known.request_key,
            known.payment_id, coalesce(known.requested_amount::text, 'null'), coalesce(known.reason, 'null')
            using errcode = '23505', hint = 'Use another request_key for another refund.';
    end if;
    if known.state in ('cancelled', 'failed') then
        raise notice 'request % of payment % is %: it refunds nothing any more', known.request_key, known.payment_id,
            known.state using hint = 'Use another request_key for a new request.';
    end if;
    return known.id;
end
$$;
revoke all on function clawback.same_request(clawback.refund_requests, bigint, text) from public;

-- Refuses arguments that no request can have.
create function clawback.check_refund_arguments(request_key text, amount bigint, reason text) returns void
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(request_key, '') = '' or octet_length(request_key) > 255 then
        raise exception 'request_key must have 1 to 255 bytes' using errcode = '22023',
            hint = 'Use something that identifies this refund in your own data, such as the ID of a return.';
    end if;
    if amount <= 0 then
        raise exception 'amount must be above 0, in minor units; it is %', amount using errcode = '22023';
    end if;
    if reason not in ('duplicate', 'fraudulent', 'requested_by_customer') then
        raise exception 'reason must be null, duplicate, fraudulent or requested_by_customer; it is %', left(reason, 50)
            using errcode = '22023';
    end if;
end
$$;
revoke all on function clawback.check_refund_arguments(text, bigint, text) from public;

-- What Stripe would refuse, or what would refund the wrong amount.
create function clawback.check_refund(home clawback.payments, amount bigint) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    available bigint := clawback.left_of(home);
    most bigint;
    unexplained bigint;
begin
    select coalesce(max(r.available), 0), coalesce(sum(r.unexplained), 0) into most, unexplained
    from clawback.refundable(home) r;
    if home.captures = '[]' then
        raise exception 'payment % is not captured: nothing can be refunded', home.payment_id using errcode = '55000';
    end if;
    if home.state = 'disputed' and most = 0 then
        raise exception 'payment % has an open chargeback: Stripe refuses refunds until it is decided', home.payment_id
            using errcode = '55000', hint = 'Accept the dispute to give the money back.';
    end if;
    if unexplained > 0 and check_refund.amount is null and clawback.reserved(home.payment_id, null) > 0 then
        raise exception 'a refund of payment % has just been made that is not known in full yet', home.payment_id
            using errcode = '55000', hint = 'Try again in a moment, or give the amount.';
    end if;
    if available = 0 or most = 0 then
        raise exception 'nothing is left to refund of payment %: paid %, refunded %, lost %, in chargebacks %, requested %',
            home.payment_id, home.amount_paid, home.amount_refunded, home.amount_lost, home.amount_disputed,
            clawback.reserved(home.payment_id, null) using errcode = '55000';
    end if;
    if coalesce(check_refund.amount, available) > least(available, most) then
        raise exception 'cannot refund % of payment %: % is left, and at most % of a single charge',
            coalesce(check_refund.amount, available), home.payment_id, available, most using errcode = '55000',
            hint = case when available > most then 'Request a refund for each charge, with amounts.'
                else 'Request at most what is left.' end;
    end if;
end
$$;
revoke all on function clawback.check_refund(clawback.payments, bigint) from public;

-- Whether a transfer or fee is returned too, by the policy; an error while there is none.
create function clawback.refund_policy(payment_id text, share text, applies boolean, policy text, variable text)
returns boolean
language plpgsql immutable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if applies and policy is null then
        raise exception 'payment % has %: who bears the refund of it must be configured first', payment_id, share
            using errcode = '55000', hint = format('Set %s for the service, and start it again.', variable);
    end if;
    return case when applies then policy in ('reverse', 'refund') end;
end
$$;
revoke all on function clawback.refund_policy(text, text, boolean, text, text) from public;

-- A refund of this request that is known already: the request's row was lost in a restore.
create function clawback.refund_of_request(home clawback.payments, id uuid, request_key text) returns clawback.refunds
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    made clawback.refunds;
begin
    select r.* into made from clawback.refunds r
    where r.payment_id = home.payment_id and (r.metadata ->> 'clawback_request' = refund_of_request.id::text
        or r.metadata ->> 'clawback_request_key' = refund_of_request.request_key)
        and not exists (select from clawback.refund_requests q where q.refund_id = r.refund_id)
    order by r.created_at, r.refund_id
    limit 1;
    return made;
end
$$;
revoke all on function clawback.refund_of_request(clawback.payments, uuid, text) from public;

-- The state of a request whose refund has this status.
create function clawback.request_state(refund_status text) returns text
language plpgsql immutable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
begin
    return case refund_status when 'succeeded' then 'succeeded' when 'failed' then 'failed' when 'canceled' then 'failed'
        else 'pending' end;
end
$$;
revoke all on function clawback.request_state(text) from public;

-- Says when a refund leaves an open inquiry open: one of Klarna's ends with the disputed amount, others with all that is
-- left (docs.stripe.com/disputes/how-disputes-work#inquiries).
create function clawback.note_inquiries(payment_id text, amount bigint, available bigint) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    inquiry record;
begin
    for inquiry in
        select d.dispute_id, case when d.payment_method = 'klarna' then least(d.amount, note_inquiries.available)
            else note_inquiries.available end as needed
        from clawback.disputes d
        where d.payment_id = note_inquiries.payment_id and d.phase = 'inquiry' and d.outcome is null
    loop
        if note_inquiries.amount < inquiry.needed then
            raise notice 'a refund of % does not end inquiry %: that takes %',
                note_inquiries.amount, inquiry.dispute_id, inquiry.needed;
        end if;
    end loop;
end
$$;
revoke all on function clawback.note_inquiries(text, bigint, bigint) from public;

-- A new request against one of the payment's captures, with its parameters frozen.
create function clawback.new_refund_request(home clawback.payments, amount bigint) returns clawback.refund_requests
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    request clawback.refund_requests;
    source record;
    policy clawback.settings;
begin
    perform clawback.check_refund(home, new_refund_request.amount);
    request.amount := coalesce(new_refund_request.amount, clawback.left_of(home));
    select r.* into strict source
    from clawback.refundable(home) r
    where r.available >= request.amount
    order by r.source_id = home.charge_id desc nulls last, r.available desc, r.source_id
    limit 1;
    perform clawback.note_inquiries(home.payment_id, request.amount, clawback.left_of(home));
    select s.* into policy from clawback.settings s;
    request.source_id := source.source_id;
    request.reverse_transfer := clawback.refund_policy(
        home.payment_id, 'a transfer', source.has_transfer, policy.refund_transfers, 'CLAWBACK_REFUND_TRANSFERS');
    request.refund_application_fee := clawback.refund_policy(
        home.payment_id, 'an application fee', source.has_fee, policy.refund_fees, 'CLAWBACK_REFUND_FEES');
    request.state := 'requested';
    return request;
end
$$;
revoke all on function clawback.new_refund_request(clawback.payments, bigint) from public;

-- The request of a refund that is known already.
create function clawback.adopted_refund_request(made clawback.refunds) returns clawback.refund_requests
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    request clawback.refund_requests;
begin
    request.amount := made.amount;
    request.source_id := coalesce(made.charge_id, made.payment_id);
    request.state := clawback.request_state(made.status);
    request.refund_id := made.refund_id;
    request.error := made.failure_reason;
    return request;
end
$$;
revoke all on function clawback.adopted_refund_request(clawback.refunds) from public;

-- Records a request for one payment and enqueues the call. The payment's row is updated first: of two transactions that
-- request at once, the second sees the first's request, or fails to serialize.
create function clawback.enter_refund_request(
    for_order text, of_payment text, key text, of_amount bigint, for_reason text
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    home clawback.payments;
    known clawback.refund_requests;
    made clawback.refunds;
    request clawback.refund_requests;
    request_id uuid;
begin
    update clawback.payments p set refund_requests = p.refund_requests + 1
    where p.payment_id = of_payment
    returning p.* into strict home;
    select q.* into known from clawback.refund_requests q where q.payment_id = home.payment_id and q.request_key = key;
    if found then
        return clawback.same_request(known, of_amount, for_reason);
    end if;
    if not exists (select from clawback.api_keys k where k.livemode = home.livemode) then
        raise exception 'no API key for % mode is configured: payment % cannot be refunded',
            case when home.livemode then 'live' else 'test' end, home.payment_id
            using errcode = '55000', hint = 'Set STRIPE_API_KEYS for the service, and start it again.';
    end if;
    request_id := clawback.refund_request_id(home.account, home.livemode, home.payment_id, key);
    made := clawback.refund_of_request(home, request_id, key);
    if made.refund_id is null then
        request := clawback.new_refund_request(home, of_amount);
    else
        if of_amount <> made.amount then
            raise exception 'request % of payment % exists at Stripe as refund % of %', key, home.payment_id,
                made.refund_id, made.amount using errcode = '23505', hint = 'Use another request_key for another refund.';
        end if;
        request := clawback.adopted_refund_request(made);
    end if;
    insert into clawback.refund_requests (id, request_key, order_id, payment_id, source_id, account, livemode, currency,
        amount, requested_amount, reason, reverse_transfer, refund_application_fee, state, refund_id, error)
    values (request_id, key, for_order, home.payment_id, request.source_id, home.account, home.livemode, home.currency,
        request.amount, of_amount, for_reason, request.reverse_transfer, request.refund_application_fee, request.state,
        request.refund_id, request.error);
    if request.state = 'requested' then
        perform clawback.enqueue_call('refund', request_id::text, '', home.account, home.livemode);
    end if;
    -- A new request replaces those that Stripe refused.
    update clawback.follow_ups f set wanted = false, state = 'cancelled', finished_at = now()
    where f.kind = 'resolve_refused_request' and f.payment_id = home.payment_id and f.state in ('ready', 'dead');
    perform clawback.record_action('request_refund', 'payment', home.payment_id, for_reason, jsonb_strip_nulls(
        jsonb_build_object('request_id', request_id, 'request_key', key, 'amount', request.amount,
            'currency', home.currency, 'order_id', for_order)));
    return request_id;
end
$$;
revoke all on function clawback.enter_refund_request(text, text, text, bigint, text) from public;

-- The mode of an order: live, unless it has test payments only. An error when it is unknown, or several accounts use its
-- reference.
create function clawback.order_to_refund(for_order text) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    of_mode boolean;
    accounts bigint;
    payments text;
begin
    select bool_or(p.livemode) into of_mode from clawback.payments p where p.order_id = for_order;
    if of_mode is null then
        raise exception 'order % is unknown: no payment of it was seen', left(for_order, 255) using errcode = 'P0002';
    end if;
    select count(distinct p.account), string_agg(p.payment_id, ', ' order by p.payment_id) into accounts, payments
    from clawback.payments p
    where p.order_id = for_order and p.livemode = of_mode;
    if accounts > 1 then
        raise exception 'order % has payments in several accounts: %', for_order, payments
            using errcode = '55000', hint = 'Name one with request_payment_refund.';
    end if;
    return of_mode;
end
$$;
revoke all on function clawback.order_to_refund(text) from public;

-- The payment of an order that a request is for.
create function clawback.payment_to_refund(for_order text, of_mode boolean, key text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    payments text[];
    able text[];
begin
    select array_agg(p.payment_id order by p.payment_id),
           array_agg(p.payment_id order by p.payment_id) filter (where clawback.left_of(p) > 0 or exists (
               select from clawback.refunds r
               where r.payment_id = p.payment_id and r.metadata ->> 'clawback_request_key' = key))
    into payments, able
    from clawback.payments p
    where p.order_id = for_order and p.livemode = of_mode;
    if cardinality(able) > 1 then
        raise exception 'order % has several payments with something left: %', for_order, array_to_string(able, ', ')
            using errcode = '55000', hint = 'Name one with request_payment_refund.';
    end if;
    if able is null and cardinality(payments) > 1 then
        raise exception 'nothing is left to refund of order %: its payments are %', for_order,
            array_to_string(payments, ', ') using errcode = '55000';
    end if;
    return (coalesce(able, payments))[1];
end
$$;
revoke all on function clawback.payment_to_refund(text, boolean, text) from public;

create function clawback_v1.request_refund(
    order_id text, request_key text, amount bigint default null, reason text default null
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    known clawback.refund_requests;
    of_mode boolean;
begin
    perform clawback.check_refund_arguments(request_refund.request_key, request_refund.amount, request_refund.reason);
    of_mode := clawback.order_to_refund(request_refund.order_id);
    select q.* into known from clawback.refund_requests q
    where q.order_id = request_refund.order_id and q.request_key = request_refund.request_key and q.livemode = of_mode;
    if found then
        return clawback.same_request(known, request_refund.amount, request_refund.reason);
    end if;
    return clawback.enter_refund_request(request_refund.order_id,
        clawback.payment_to_refund(request_refund.order_id, of_mode, request_refund.request_key), request_refund.request_key,
        request_refund.amount, request_refund.reason);
end
$$;
comment on function clawback_v1.request_refund(text, text, bigint, text) is
    'Requests a refund of an order''s payment, and returns the ID of the request. amount in minor units; null for all that is left, fixed by the first call. reason is null, duplicate, fraudulent (also blocks the card and the e-mail address) or requested_by_customer. The same request_key for the same order with the same arguments returns the same request, even a cancelled or failed one. An error when more than is left is requested, the order is unknown, has several payments with something left or payments in several accounts, a chargeback is open, nothing was captured, or there is no API key for the mode. Test payments only when the order has no live one. The refund is made once, soon after the commit: see refund_requests.';

create function clawback_v1.request_payment_refund(
    payment_id text, request_key text, amount bigint default null, reason text default null
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    home text;
begin
    perform clawback.check_refund_arguments(
        request_payment_refund.request_key, request_payment_refund.amount, request_payment_refund.reason);
    -- The ID of a charge that became part of a PaymentIntent still names the payment.
    select p.payment_id into home
    from clawback.payment_objects o
    join clawback.payments p on p.payment_id = o.payment_id and not p.orphan
    where o.object_id = request_payment_refund.payment_id and o.kind in ('charge', 'payment_intent', 'payment');
    if home is null then
        raise exception 'payment % is unknown', left(request_payment_refund.payment_id, 255) using errcode = 'P0002';
    end if;
    return clawback.enter_refund_request(null, home, request_payment_refund.request_key, request_payment_refund.amount,
        request_payment_refund.reason);
end
$$;
comment on function clawback_v1.request_payment_refund(text, text, bigint, text) is
    'The same as request_refund, for one payment: its ID, or that of its charge. request_key identifies the request among those of the payment.';

create function clawback_v1.cancel_refund_request(id uuid, reason text) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    request clawback.refund_requests;
begin
    -- Leased: it is being sent right now.
    perform from clawback.api_calls c
    where c.kind = 'refund' and c.subject = cancel_refund_request.id::text and c.state = 'ready'
    for update;
    if not found then
        return false;
    end if;
    update clawback.refund_requests q
    set state = case q.state when 'requested' then 'cancelled' else q.state end,
        cancel_requested = q.state = 'unknown', updated_at = now()
    where q.id = cancel_refund_request.id and (q.state = 'requested'
        or q.state = 'unknown' and q.refund_id is null and q.first_sent_at < now() - interval '24 hours')
    returning q.* into request;
    if not found then
        return false;
    end if;
    if request.cancel_requested then
        -- Looked up once more, when whatever was sent last has had its effect.
        update clawback.api_calls c set run_at = greatest(now(), request.sent_at + interval '10 minutes')
        where c.kind = 'refund' and c.subject = cancel_refund_request.id::text;
    else
        update clawback.api_calls c set state = 'cancelled', finished_at = now()
        where c.kind = 'refund' and c.subject = cancel_refund_request.id::text;
    end if;
    perform clawback.record_action('cancel_refund_request', 'payment', request.payment_id, cancel_refund_request.reason,
        jsonb_build_object('request_id', cancel_refund_request.id));
    return true;
end
$$;
comment on function clawback_v1.cancel_refund_request(uuid, text) is
    'Cancels a refund request that was not sent yet. One whose outcome has been unknown for over 24 hours is looked up once more, and cancelled if Stripe knows no such refund. Returns false when it does not exist, or was sent.';

revoke all on all functions in schema clawback_v1 from public;
