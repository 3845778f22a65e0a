//! Promise: the database refuses what the domain forbids, by constraints with names.

use std::collections::BTreeSet;

use crate::harness::{Database, TestApp};

/// A statement for each constraint, and the constraint that must refuse it.
const FORBIDDEN: &[(&str, &str)] = &[
    ("events_event_id_length", "update clawback.events set event_id = ''"),
    ("events_type", "update clawback.events set type = ''"),
    ("events_state", "update clawback.events set state = 'done', processed_at = now()"),
    ("events_processed_at", "update clawback.events set processed_at = null"),
    ("events_attempts", "update clawback.events set attempts = -1"),
    ("events_reason", "update clawback.events set state = 'failed', last_error = null"),
    ("events_pkey", "insert into clawback.events (event_id, type) select event_id, type from clawback.events"),
    ("event_payloads_pkey", "insert into clawback.event_payloads select * from clawback.event_payloads"),
    (
        "unvouched_events_pkey",
        "insert into clawback.unvouched_events (event_id, type, livemode, payload)
         values ('evt_1', 't', false, '{}'), ('evt_1', 't', false, '{}')",
    ),
    (
        "unvouched_events_event_id_length",
        "insert into clawback.unvouched_events (event_id, type, livemode, payload) values ('', 't', false, '{}')",
    ),
    ("pending_events_pkey", "insert into clawback.pending_events (seq, event_id) values (1, 'a'), (1, 'b')"),
    ("rebuilds_pkey", "insert into clawback.rebuilds (payment_id) values ('pi_1'), ('pi_1')"),
    ("settings_pkey", "insert into clawback.settings default values"),
    ("settings_only", "insert into clawback.settings (is_only) values (false)"),
    (
        "syncs_pkey",
        "insert into clawback.syncs (kind, account, livemode) values ('missed', 'a', false), ('missed', 'a', false)",
    ),
    ("syncs_kind", "insert into clawback.syncs (kind, account, livemode) values ('all', 'a', false)"),
    (
        "syncs_under_way",
        "insert into clawback.syncs (kind, account, livemode, started_at) values ('missed', 'a', false, now())",
    ),
    (
        "syncs_held",
        "insert into clawback.syncs (kind, account, livemode, held_until) values ('missed', 'a', false, now())",
    ),
    ("erased_payments_pkey", "insert into clawback.erased_payments (payment_id) values ('pi_1'), ('pi_1')"),
    ("retention_pkey", "insert into clawback.retention (part) values ('bodies')"),
    ("retention_part", "update clawback.retention set part = 'everything' where part = 'bodies'"),
    ("retention_held", "update clawback.retention set held_until = now()"),
    ("object_reads_pkey", "insert into clawback.object_reads (object_id) values ('dp_1'), ('dp_1')"),
    (
        "processors_pkey",
        "insert into clawback.processors (processor_id, rules)
         select '00000000-0000-0000-0000-000000000000', n from generate_series(1, 2) n",
    ),
    (
        "failed_events_pkey",
        "insert into clawback.failed_events (event_id)
                            select event_id from clawback.events, (values (1), (2)) twice",
    ),
    ("failed_events_event_fkey", "insert into clawback.failed_events (event_id) values ('evt_nowhere')"),
    ("replays_reason", "insert into clawback.replays (event_id, reason) select event_id, '' from clawback.events"),
    ("replays_person", "update clawback.replays set person = ''"),
    (
        "actions_pkey",
        "insert into clawback.actions (id, actor, role, via, action, subject_kind, subject) overriding system value
         values (-1, 'a', 'a', 'sql', 'link', 'payment', 'pi_1'), (-1, 'a', 'a', 'sql', 'link', 'payment', 'pi_1')",
    ),
    (
        "actions_via",
        "insert into clawback.actions (actor, role, via, action, subject_kind, subject)
         values ('a', 'a', 'mail', 'link', 'payment', 'pi_1')",
    ),
    ("replays_event_fkey", "insert into clawback.replays (event_id, reason) values ('evt_nowhere', 'hope')"),
    (
        "replays_pkey",
        "insert into clawback.replays (id, event_id, reason) overriding system value
                      select 1, event_id, 'hope' from clawback.events",
    ),
    ("payments_state", "update clawback.payments set state = 'shipped'"),
    ("payments_state_money", "update clawback.payments set state = 'refunded' where state = 'paid'"),
    ("payments_amounts", "update clawback.payments set amount = -1"),
    ("payments_currency", "update clawback.payments set currency = 'EUR', order_id = null"),
    ("payments_open_disputes", "update clawback.payments set hold = false where open_disputes > 0"),
    ("payments_orphan", "update clawback.payments set orphan = true where order_id is not null"),
    ("payments_order_fkey", "update clawback.payments set order_id = 'order-nowhere'"),
    ("payments_pkey", "insert into clawback.payments select * from clawback.payments"),
    ("payment_objects_pkey", "insert into clawback.payment_objects select * from clawback.payment_objects"),
    (
        "payment_objects_payment_fkey",
        "insert into clawback.payment_objects (object_id, payment_id) values ('re_new', 'pi_nowhere')",
    ),
    ("orders_state", "update clawback.orders set state = 'shipped'"),
    ("orders_state_money", "update clawback.orders set state = 'paid', amount_paid = 0"),
    ("orders_amounts", "update clawback.orders set amount_disputed = -1 where open_disputes > 0"),
    (
        "orders_currency",
        "insert into clawback.orders (order_id, account, livemode, currency, state, amount_paid, amount_refunded,
                                      amount_disputed, amount_lost, hold, open_disputes, evidence_due_by)
                         select order_id, account, livemode, 'e', state, amount_paid, amount_refunded, amount_disputed,
                                amount_lost, hold, open_disputes, evidence_due_by from clawback.orders",
    ),
    ("orders_open_disputes", "update clawback.orders set evidence_due_by = now() where open_disputes = 0"),
    ("orders_pkey", "insert into clawback.orders select * from clawback.orders"),
    ("refunds_amount", "update clawback.refunds set amount = -1"),
    ("refunds_currency", "update clawback.refunds set currency = ''"),
    ("refunds_payment_fkey", "update clawback.refunds set payment_id = 'pi_nowhere'"),
    ("people_pkey", "insert into clawback.people select * from clawback.people"),
    ("refunds_pkey", "insert into clawback.refunds select * from clawback.refunds"),
    ("disputes_amounts", "update clawback.disputes set amount_withdrawn = -1"),
    ("disputes_amount_lost", "update clawback.disputes set amount_lost = amount + 1"),
    ("disputes_currency", "update clawback.disputes set currency = ''"),
    ("disputes_phase", "update clawback.disputes set phase = 'arbitration'"),
    ("disputes_outcome", "update clawback.disputes set outcome = 'drawn'"),
    ("disputes_outcome_phase", "update clawback.disputes set outcome = 'prevented'"),
    ("disputes_settlement", "update clawback.disputes set settlement_currency = null"),
    ("disputes_payment_fkey", "update clawback.disputes set payment_id = 'pi_nowhere'"),
    ("disputes_pkey", "insert into clawback.disputes select * from clawback.disputes"),
    ("notices_pkey", "insert into clawback.notices (key) values ('digest/a'), ('digest/a')"),
    ("notices_follow_up", "insert into clawback.notices (key, follow_up_id) values ('a', 1), ('b', 1)"),
    ("notices_state", "insert into clawback.notices (key, state, finished_at) values ('a', 'lost', now())"),
    ("notices_finished", "insert into clawback.notices (key, state) values ('a', 'sent')"),
    ("notices_attempts", "insert into clawback.notices (key, attempts) values ('a', -1)"),
    ("reviews_payment_fkey", "update clawback.reviews set payment_id = 'pi_nowhere'"),
    ("reviews_pkey", "insert into clawback.reviews select * from clawback.reviews"),
    ("fraud_warnings_payment_fkey", "update clawback.fraud_warnings set payment_id = 'pi_nowhere'"),
    ("fraud_warnings_pkey", "insert into clawback.fraud_warnings select * from clawback.fraud_warnings"),
    ("order_history_ends", "update clawback.order_history set from_state = null, to_state = null"),
    ("order_history_amounts", "update clawback.order_history set amount_refunded = -1"),
    ("order_history_states", "update clawback.order_history set to_state = 'shipped'"),
    ("order_history_currency", "update clawback.order_history set currency = 'EUR'"),
    (
        "order_history_pkey",
        "insert into clawback.order_history overriding system value
                            select * from clawback.order_history",
    ),
    (
        "follow_ups_once",
        "insert into clawback.follow_ups (kind, subject, round, payload, run_at)
                         select kind, subject, round, payload, run_at from clawback.follow_ups",
    ),
    ("follow_ups_state", "update clawback.follow_ups set state = 'lost' where state = 'ready'"),
    ("follow_ups_finished", "update clawback.follow_ups set finished_at = now() where state = 'ready'"),
    ("follow_ups_leased", "update clawback.follow_ups set leased_until = now() where state = 'ready'"),
    (
        "follow_ups_lease_token",
        "update clawback.follow_ups set state = 'leased', leased_until = now(), consumer = 'me'
                                where state = 'ready'",
    ),
    ("follow_ups_cancelled", "update clawback.follow_ups set state = 'cancelled', finished_at = now() where wanted"),
    ("follow_ups_attempts", "update clawback.follow_ups set attempts = max_attempts + 1"),
    ("follow_ups_names", "update clawback.follow_ups set subject = ''"),
    ("follow_ups_result", "update clawback.follow_ups set result = to_jsonb(repeat('x', 16384))"),
    ("follow_ups_payment_fkey", "update clawback.follow_ups set payment_id = 'pi_nowhere'"),
    (
        "follow_ups_pkey",
        "insert into clawback.follow_ups (id, kind, subject, round, payload, run_at)
                         overriding system value
                         select id, 'new', id::text, '', payload, run_at from clawback.follow_ups",
    ),
    ("settings_refund_transfers", "update clawback.settings set refund_transfers = 'share'"),
    ("settings_refund_fees", "update clawback.settings set refund_fees = 'reverse'"),
    ("api_keys_pkey", "insert into clawback.api_keys (livemode) values (true), (true)"),
    ("api_accounts_pkey", "insert into clawback.api_accounts (account, livemode) values ('', true), ('', true)"),
    ("api_accounts_failures", "update clawback.api_accounts set failures = -1"),
    (
        "api_calls_pkey",
        "insert into clawback.api_calls (id, kind, subject, account, livemode) overriding system value
                        select id, 'refund', 'another', '', false from clawback.api_calls",
    ),
    (
        "api_calls_once",
        "insert into clawback.api_calls (kind, subject, account, livemode)
                        select kind, subject, '', false from clawback.api_calls",
    ),
    ("api_calls_names", "update clawback.api_calls set subject = ''"),
    ("api_calls_state", "update clawback.api_calls set state = 'sent'"),
    ("api_calls_leased", "update clawback.api_calls set state = 'leased'"),
    ("api_calls_finished", "update clawback.api_calls set state = 'done'"),
    ("api_calls_attempts", "update clawback.api_calls set attempts = -1"),
    (
        "refund_requests_pkey",
        "insert into clawback.refund_requests (id, request_key, payment_id, source_id, account,
                              livemode, currency, amount) select id, 'another', 'pi_1', 'ch_1', '', false, 'eur', 1
                              from clawback.refund_requests",
    ),
    (
        "refund_requests_key",
        "insert into clawback.refund_requests (id, request_key, payment_id, source_id, account,
                             livemode, currency, amount) select gen_random_uuid(), request_key, payment_id, 'ch_1', '',
                             false, 'eur', 1 from clawback.refund_requests",
    ),
    (
        "refund_requests_refund",
        "insert into clawback.refund_requests (id, request_key, payment_id, source_id, account,
                                livemode, currency, amount, refund_id) select gen_random_uuid(), k, 'pi_1', 'ch_1', '',
                                false, 'eur', 1, 're_1' from (values ('a'), ('b')) as keys (k)",
    ),
    ("refund_requests_key_length", "update clawback.refund_requests set request_key = ''"),
    ("refund_requests_amount", "update clawback.refund_requests set amount = 0"),
    ("refund_requests_currency", "update clawback.refund_requests set currency = 'EUR'"),
    ("refund_requests_reason", "update clawback.refund_requests set reason = 'expired_uncaptured_charge'"),
    ("refund_requests_state", "update clawback.refund_requests set state = 'done'"),
    ("settings_product_kind", "update clawback.settings set product_kind = 'event'"),
    (
        "dispute_responses_pkey",
        "insert into clawback.dispute_responses (dispute_id, phase, account, livemode, baseline)
                               values ('dp_1', 'chargeback', '', false, 0), ('dp_1', 'chargeback', '', false, 0)",
    ),
    ("dispute_responses_phase", "update clawback.dispute_responses set phase = 'prevention'"),
    ("dispute_responses_state", "update clawback.dispute_responses set state = 'sent'"),
    ("dispute_responses_submitted", "update clawback.dispute_responses set state = 'submitted'"),
    ("dispute_responses_counts", "update clawback.dispute_responses set baseline = -1"),
    (
        "evidence_files_pkey",
        "insert into clawback.evidence_files (dispute_id, phase, field, name, content_type, bytes, sha256)
                            select dispute_id, phase, field, name, content_type, bytes, sha256 from clawback.evidence_files",
    ),
    (
        "evidence_files_id",
        "insert into clawback.evidence_files (id, dispute_id, phase, field, name, content_type, bytes, sha256)
                          select id, dispute_id, phase, 'receipt', name, content_type, bytes, sha256
                          from clawback.evidence_files",
    ),
    ("evidence_files_response_fkey", "update clawback.evidence_files set dispute_id = 'dp_nowhere'"),
    ("evidence_files_type", "update clawback.evidence_files set content_type = 'image/gif'"),
    ("evidence_files_size", "update clawback.evidence_files set bytes = 4500001"),
    ("evidence_files_counted", "update clawback.evidence_files set pages = 1, unreadable = 'torn'"),
    (
        "console_sessions_pkey",
        "insert into clawback.console_sessions (token_hash, person, expires_at)
                               select sha256('a'), 'anna', now() + interval '1 hour' from generate_series(1, 2)",
    ),
    (
        "console_sessions_token_hash",
        "insert into clawback.console_sessions (token_hash, person, expires_at)
                               values ('a', 'anna', now() + interval '1 hour')",
    ),
    (
        "console_sessions_person",
        "insert into clawback.console_sessions (token_hash, person, expires_at)
                               values (sha256('a'), '', now() + interval '1 hour')",
    ),
    (
        "console_sessions_expires",
        "insert into clawback.console_sessions (token_hash, person, expires_at) values (sha256('a'), 'anna', now())",
    ),
    ("refund_requests_made", "update clawback.refund_requests set state = 'succeeded'"),
];

/// Constraints of the private tables, except those of the migrator's own table.
async fn constraints(db: &Database) -> BTreeSet<String> {
    let rows = db
        .rows(
            "select c.conname as name from pg_constraint c join pg_class t on t.oid = c.conrelid
             where c.connamespace = 'clawback'::regnamespace and t.relname <> 'migrations' and c.contype <> 'n'",
        )
        .await;
    rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_constraint_refuses_what_the_domain_forbids() {
    let mut db = Database::migrated().await;
    db.expect_errors(&["violates"]);
    let app = TestApp::start_on(db, |_| {}).await;
    for story in ["paid", "partial-refund", "chargeback-open", "chargeback-lost", "fraud-warning", "review-open"] {
        app.live(story, story).await;
    }
    app.db
        .execute("insert into clawback.replays (event_id, reason) select event_id, 'hope' from clawback.events")
        .await;
    app.db.execute("insert into clawback.api_keys (livemode) values (false)").await;
    app.db.execute("select clawback_v1.request_refund('paid', 'a key', 100)").await;
    app.db
        .execute(
            "select clawback_v1.attach_evidence_file(dispute_id, 'customer_signature', 'a.pdf', null, '%PDF-1.4'::bytea)
             from clawback_v1.disputes where can_respond",
        )
        .await;
    for (constraint, statement) in FORBIDDEN {
        let refusal = app.db.refusal(statement).await;
        assert!(refusal.contains(&format!("\"{constraint}\"")), "{constraint}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_constraint_has_a_statement_that_violates_it() {
    let db = Database::migrated().await;
    let tried: BTreeSet<String> = FORBIDDEN.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(constraints(&db).await, tried);
}
