//! What must hold of any database after whatever happened: rows that agree with each other, and a content doctor.

use serde_json::Value;

use crate::binary;
use crate::harness::{Database, SECRET};
use crate::life::Life;
use crate::truth::{Truth, truth};

/// Queries that must return no rows.
const MISFITS: [(&str, &str); 6] = [
    (
        "history that does not begin where it ended",
        "select * from (select h.*, lag(to_state) over (partition by order_id, case
                               when order_id is null then payment_id
                               else concat_ws(' ', account, livemode, currency) end order by id) as before
                        from clawback_v1.order_history h) h
         where from_state is distinct from before",
    ),
    (
        "history that does not end where the order is",
        "select * from (select distinct on (order_id, account, livemode, currency) *
                        from clawback_v1.order_history where order_id is not null
                        order by order_id, account, livemode, currency, id desc) h
         full join clawback_v1.orders o on o.order_id = h.order_id and o.account is not distinct from h.account
             and o.livemode = h.livemode and o.currency is not distinct from h.currency
         where o.state is distinct from h.to_state
             or o.order_id is not null and (o.amount_paid, o.amount_refunded, o.amount_disputed, o.amount_lost, o.hold,
                 o.open_disputes, o.evidence_due_by) is distinct from (h.amount_paid, h.amount_refunded,
                 h.amount_disputed, h.amount_lost, h.hold, h.open_disputes, h.evidence_due_by)",
    ),
    (
        "history that does not end where the unlinked payment is",
        "select * from (select distinct on (payment_id) * from clawback_v1.order_history where order_id is null
                        order by payment_id, id desc) h
         full join (select * from clawback_v1.payments where order_id is null) p on p.payment_id = h.payment_id
         where p.state is distinct from h.to_state
             or p.payment_id is not null and (p.amount_paid, p.amount_refunded, p.amount_disputed, p.amount_lost,
                 p.hold, p.evidence_due_by) is distinct from (h.amount_paid, h.amount_refunded, h.amount_disputed,
                 h.amount_lost, h.hold, h.evidence_due_by)",
    ),
    (
        "asked for twice",
        "select kind, subject, round from clawback_v1.follow_ups group by kind, subject, round having count(*) > 1",
    ),
    (
        "follow-ups that contradict themselves",
        "select * from clawback_v1.follow_ups
         where state in ('ready', 'dead') and not wanted or state = 'cancelled' and wanted or state = 'discarded'",
    ),
    (
        "follow-ups of another order than their payment",
        "select f.* from clawback_v1.follow_ups f join clawback_v1.payments p using (payment_id)
         where f.wanted and f.order_id is distinct from p.order_id",
    ),
];

pub async fn misfits(db: &Database) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, query) in MISFITS {
        wrong.extend(db.rows(query).await.iter().map(|row| format!("WRONG: {what}: {row}")));
    }
    wrong
}

/// The doctor's findings, except about the settings of a test server.
pub async fn doctor(db: &Database, lives: &[Life]) -> Vec<String> {
    let environment = [("DATABASE_URL", db.url.as_str()), ("STRIPE_WEBHOOK_SECRETS", SECRET)];
    let ended = binary::run(&["doctor", "--json"], &environment).await;
    let findings: Vec<Value> = serde_json::from_str(&ended.stdout).expect("findings");
    let excess: Vec<String> = lives.iter().flat_map(|life| refunded_above_paid(&truth(life))).collect();
    let mut wrong = Vec::new();
    for check in ["consistency", "objects", "orders", "money"] {
        let finding = findings.iter().find(|finding| finding["check"] == check).expect(check);
        let says = finding["message"].as_str().expect("words");
        // Unavoidable for an endpoint that saw a charge only before its capture, and its refunds after it.
        let expected = check == "money" && !excess.is_empty();
        let names_all = excess.iter().all(|id| says.contains(id)) && says.starts_with(&excess.len().to_string());
        if finding["level"] != (if expected { "warning" } else { "good" }) || expected && !names_all {
            wrong.push(format!("WRONG: doctor: {finding}, expected {excess:?}"));
        }
    }
    wrong
}

fn refunded_above_paid(truth: &Truth) -> Vec<String> {
    let excess =
        truth.payments.iter().filter(|(_, payment)| payment.sums.paid.is_some_and(|p| payment.sums.refunded > p));
    excess.map(|(id, _)| id.clone()).collect()
}
