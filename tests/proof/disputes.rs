//! The proof of evidence: two processes of the real binary submit the evidence that several people stage, submit and accept
//! at once, while calls fail in every way, webhooks are lost and repeated, others submit in the Dashboard, and a process is
//! killed again and again. At the end each dispute was submitted at most once, and none of those complete and due is left.

use std::time::Instant;

use proptest::test_runner::TestRng;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::acting::{FAULTS, GRACE, below, end_faults, environment, finish, progress, register};
use crate::binary::Serving;
use crate::chance::{number, rng};
use crate::double_world::World;
use crate::harness::{Database, until};

/// The default of `DISPUTES`.
const DISPUTES: u64 = 60;
/// How often a process is killed.
const KILLS: u64 = 4;
/// What the database logs when people submit twice, and when a client is killed.
const EXPECTED: [&str; 7] = [
    "takes no evidence",
    "cannot be changed",
    "somebody changed it",
    "cannot be submitted",
    "which accepting does not end",
    "cannot be accepted",
    "connection to client lost",
];
const TOKENS: [&str; 3] =
    ["pm_card_createDispute", "pm_card_createDisputeProductNotReceived", "pm_card_createDisputeInquiry"];
/// One page, as little as a PDF can be.
const PDF: &str = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\nxref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000052 00000 n \n0000000101 00000 n \ntrailer<</Size 4/Root 1 0 R>>\nstartxref\n164\n%%EOF\n";

/// What people do about a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// They stage a part of the evidence, and forget it.
    Forget,
    /// They stage all that the reason calls for, and leave the rest to the service.
    Complete,
    /// Two of them submit what is there.
    Submit,
    /// The same, and somebody else submits in the Dashboard meanwhile.
    Race,
    /// Two of them accept it.
    Accept,
}

const PLANS: [Plan; 5] = [Plan::Forget, Plan::Complete, Plan::Submit, Plan::Race, Plan::Accept];

/// `DISPUTES` is the number of disputes, `SEED` selects what happens to them.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_the_truth_of_evidence_while_calls_fail_and_a_process_dies() {
    let (count, mut rng) = (number("DISPUTES", DISPUTES), rng(number("SEED", 1)));
    let began = Instant::now();
    let mut db = Database::migrated().await;
    db.expect_errors(&EXPECTED);
    let world = World::start().await;
    // The double's disputes are due in nine days: what is complete is due at once.
    let mut environment = environment(&world).to_vec();
    environment.push(("CLAWBACK_AUTO_SUBMIT", "14d"));
    let one = Serving::start(&db.url, &environment).await;
    register(&world, &one).await;
    let disputes = open(&world, &db, count).await;
    disturb(&world, count, &mut rng).await;
    let plans: Vec<_> = disputes.into_iter().map(|dispute| (dispute, plan(&mut rng))).collect();
    let (first, second) = (respond(&db, &world, &plans, true), respond(&db, &world, &plans, false));
    tokio::join!(first, second, kill_again_and_again(&db, &environment, count));
    end_faults(&world).await;
    while left(&db).await > 0 {
        // The desk requests what is complete; then it is sent.
        until("what is complete is requested", async || drafts_left(&db).await == 0).await;
        finish(&db).await;
    }
    let wrong = compare(&db, &world, &plans).await;
    println!("disputes: {count}, seconds {:.1}, wrong: {}", began.elapsed().as_secs_f64(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let ended = one.terminate(GRACE).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
}

/// Disputes of three kinds, seen by the service.
async fn open(world: &World, db: &Database, count: u64) -> Vec<String> {
    for n in 0..count {
        let order = format!("o_{n}");
        let token = TOKENS[usize::try_from(n % 3).expect("an index")];
        let form = [
            ("amount", "1000"),
            ("currency", "eur"),
            ("confirm", "true"),
            ("payment_method", token),
            ("metadata[order_id]", order.as_str()),
        ];
        world.post("/v1/payment_intents", &form).await;
    }
    progress(db, "select count(*) from clawback_v1.disputes where can_respond", count).await;
    let ids = db.rows("select dispute_id from clawback_v1.disputes order by order_id").await;
    ids.iter().map(|row| row["dispute_id"].as_str().expect("an id").to_owned()).collect()
}

/// Every kind of fault at random moments, and webhooks that are repeated or lost.
async fn disturb(world: &World, count: u64, rng: &mut TestRng) {
    world.control("webhooks/behaviour", json!({ "copies": 2, "lose": count })).await;
    for path in ["/v1/disputes/*", "/v1/files"] {
        for (kind, share) in FAULTS {
            for _ in 0..(count / share).max(1) {
                let fault =
                    json!({ "path": path, "kind": kind, "count": 1, "skip": below(rng, count * 2), "millis": 20 });
                world.control("faults", fault).await;
            }
        }
    }
}

fn plan(rng: &mut TestRng) -> Plan {
    PLANS[usize::try_from(below(rng, PLANS.len() as u64)).expect("an index")]
}

/// One of two people who work through all disputes. The first writes the drafts; both submit and accept.
async fn respond(db: &Database, world: &World, plans: &[(String, Plan)], is_first: bool) {
    for (dispute, plan) in plans {
        if is_first {
            draft(db, dispute, *plan).await;
        }
        match plan {
            Plan::Forget | Plan::Complete => {}
            Plan::Submit => call(db, &format!("submit_evidence('{dispute}')")).await,
            Plan::Race if is_first => call(db, &format!("submit_evidence('{dispute}')")).await,
            Plan::Race => {
                let form = [("evidence[customer_name]", "elsewhere"), ("submit", "true")];
                // A fault may meet it: then nobody submitted elsewhere.
                drop(world.keyed(dispute, &format!("/v1/disputes/{dispute}"), &form).await);
            }
            Plan::Accept => call(db, &format!("accept_dispute('{dispute}', 1000)")).await,
        }
    }
}

async fn draft(db: &Database, dispute: &str, plan: Plan) {
    let name = format!("draft of {dispute}");
    let mut fields = json!({ "product_kind": "digital", "customer_name": name });
    if plan == Plan::Complete {
        // All that any of the three reasons calls for.
        fields["access_activity_log"] = "downloaded".into();
        fields["service_date"] = "2 March 2026".into();
    }
    call(db, &format!("stage_evidence('{dispute}', '{fields}')")).await;
    let attached: &[&str] = if plan == Plan::Complete { &["receipt", "customer_communication"] } else { &[] };
    for field in attached {
        let content = hex::encode(PDF);
        call(db, &format!("attach_evidence_file('{dispute}', '{field}', 'a.pdf', null, '\\x{content}')")).await;
    }
}

/// A call of a person, which may be refused.
async fn call(db: &Database, call: &str) {
    drop(sqlx::query(AssertSqlSafe(format!("select clawback_v1.{call}"))).execute(&db.pool).await);
}

/// Kills one of two processes while evidence is sent, and starts another.
async fn kill_again_and_again(db: &Database, environment: &[(&str, &str)], count: u64) {
    let ended = "select count(*) from clawback_v1.dispute_responses where submitted_at is not null";
    for kill in 1..=KILLS {
        let other = Serving::start(&db.url, environment).await;
        progress(db, ended, count * kill / (KILLS * 4)).await;
        other.kill().await;
        db.execute(
            "update clawback.api_calls set leased_until = now() - interval '1 second'
             where id in (select id from clawback.api_calls where state = 'leased' for update skip locked)",
        )
        .await;
    }
}

/// Responses that are requested, and drafts that are complete and due.
async fn left(db: &Database) -> u64 {
    let requested =
        "select count(*) from clawback_v1.dispute_responses where state in ('submit_requested', 'accept_requested')";
    db.value(requested).await.as_u64().expect("a number") + drafts_left(db).await
}

async fn drafts_left(db: &Database) -> u64 {
    let drafts =
        "select count(*) from clawback_v1.dispute_responses r join clawback_v1.disputes d using (dispute_id, phase)
                  where r.state = 'draft' and r.missing = '{}' and d.can_respond";
    db.value(drafts).await.as_u64().expect("a number")
}

/// Disputes that do not stand as they must, at the double and in the database.
async fn compare(db: &Database, world: &World, plans: &[(String, Plan)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (dispute, plan) in plans {
        let shown = world.get(&format!("/v1/disputes/{dispute}"), &[]).await.body;
        let row = db
            .rows(&format!(
                "select phase, state, error from clawback_v1.dispute_responses where dispute_id = '{dispute}'"
            ))
            .await
            .pop()
            .unwrap_or_default();
        let submissions = shown["evidence_details"]["submission_count"].as_u64().expect("a count");
        if !is_right(*plan, &shown, &row, submissions) {
            wrong.push(format!("{dispute} {plan:?}: {submissions} submissions, status {}, {row}", shown["status"]));
        }
    }
    wrong
}

fn is_right(plan: Plan, shown: &Value, row: &Value, submissions: u64) -> bool {
    let name = shown["evidence"]["customer_name"].as_str().unwrap_or_default();
    let is_ours = name.starts_with("draft of");
    let is_inquiry = row["phase"] == "inquiry";
    match plan {
        Plan::Forget => submissions == 0 && row["state"] == "draft",
        Plan::Complete => submissions == 1 && row["state"] == "submitted" && is_ours,
        Plan::Submit => submissions == 1 && row["state"] == "submitted" && is_ours,
        Plan::Race if row["state"] == "submitted" => submissions == 1 && is_ours,
        // Somebody may have submitted elsewhere before there was a draft.
        Plan::Race => {
            submissions == 1 && name == "elsewhere" && (row.is_null() || row["state"] == "submitted_elsewhere")
        }
        // An inquiry cannot be accepted.
        Plan::Accept if is_inquiry => submissions == 0 && row["state"] == "draft",
        Plan::Accept => submissions == 0 && row["state"] == "accepted" && shown["status"] == "lost",
    }
}
