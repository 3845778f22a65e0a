-- The console: what its role may do beyond the interface, and the order of its lists.

-- Stages the Visa Compelling Evidence 3.0 of a draft at Stripe, and nothing else of it: Stripe says whether it qualifies.
create function clawback.stage_compelling_evidence(dispute_id text, phase text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform clawback.enqueue_response(r, 'stage', 'ce3/' || r.version)
    from clawback.dispute_responses r
    where r.dispute_id = stage_compelling_evidence.dispute_id and r.phase = stage_compelling_evidence.phase
        and clawback.has_key(r.livemode);
end
$$;
revoke all on function clawback.stage_compelling_evidence(text, text) from public;

-- For lists in their order, with the id that tells equals apart. `create index` without `concurrently`: nothing is released.
drop index clawback.events_received;
create index events_received on clawback.events (received_at desc, event_id desc);
create index disputes_listed on clawback.disputes ((outcome is not null), coalesce(evidence_due_by, 'infinity'), dispute_id);
create index orders_changed on clawback.orders (updated_at desc, order_id desc);
create index orders_prefix on clawback.orders (order_id text_pattern_ops);
create index refunds_created on clawback.refunds (created_at desc, refund_id desc);
create index refund_requests_created on clawback.refund_requests (created_at desc, id desc);
create index actions_actor on clawback.actions (actor, id);
create index actions_action on clawback.actions (action, id);
create index people_email on clawback.people (lower(email)) where email is not null;
