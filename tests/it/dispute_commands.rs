//! Promise: a person responds to a dispute by the command line: what is reviewed is what is sent, and nothing is sent by
//! mistake.

use clawback::evidence::pages;
use serde_json::json;

use crate::guide::{bash, blocks};
use crate::refund_shop::Shop;

const PAGE: &str = include_str!("../../docs/DISPUTES.md");

/// A PDF of one page.
fn pdf() -> String {
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
    ];
    let (mut text, mut table) = (
        "%PDF-1.4
"
        .to_owned(),
        "0000000000 65535 f 
"
        .to_owned(),
    );
    for (at, object) in objects.iter().enumerate() {
        table += &format!(
            "{:010} 00000 n 
",
            text.len()
        );
        text += &format!(
            "{} 0 obj
{object}
endobj
",
            at + 1
        );
    }
    let start = text.len();
    text + &format!(
        "xref
0 4
{table}trailer
<</Size 4/Root 1 0 R>>
startxref
{start}
%%EOF
"
    )
}

/// A shop with a dispute that awaits evidence; the dispute.
async fn disputed() -> (Shop, String) {
    let mut shop = Shop::open().await;
    shop.app.db.expect_errors(&[
        "somebody changed it",
        "may have at most",
        "confirm the amount",
        "cannot be submitted",
    ]);
    shop.pay("o_1", "1000", "pm_card_createDisputeProductNotReceived").await;
    shop.app.db.until("select exists (select from clawback_v1.disputes where can_respond)").await;
    let dispute = shop.app.db.value("select dispute_id from clawback_v1.disputes").await;
    (shop, dispute.as_str().expect("an id").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_staged_attached_shown_and_submitted_once() {
    let (shop, dispute) = disputed().await;
    let app = &shop.app;
    let dispute = dispute.as_str();
    let folder = std::env::temp_dir().join(format!("clawback-desk-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).expect("a folder");
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    };
    let text = format!("uncategorized_text=@{}", file("letter.txt", "winning_evidence"));
    let staged = app
        .json(&[
            "disputes",
            "stage",
            dispute,
            "shipping_carrier=DHL",
            "customer_name=Jane",
            &text,
            "--product",
            "digital",
            "--by",
            "ada",
        ])
        .await;
    assert_eq!((&staged["version"], &staged["response"]["staged_by"]), (&json!(1), &json!("ada")), "{staged}");
    app.command(&["disputes", "stage", dispute, "--unset", "customer_name", "--version", "1"]).await;
    let (first, second) = (file("first.pdf", &pdf()), file("second.pdf", &pdf()));
    let attached = app.command(&["disputes", "attach", dispute, "receipt", &first, &second]).await.stdout;
    assert!(attached.contains("version 3") && attached.contains("missing"), "{attached}");
    let merged = "select content from clawback.evidence_files where field = 'receipt'";
    let content: Vec<u8> = sqlx::query_scalar(merged).fetch_one(&app.db.pool).await.expect("a file");
    assert_eq!(pages::count(&content), Ok(2), "both documents are in one");
    app.command(&["disputes", "attach", dispute, "refund_policy", &first]).await;
    app.command(&["disputes", "detach", dispute, "refund_policy"]).await;
    std::fs::remove_dir_all(&folder).expect("it is there");
    app.db.execute("update clawback.evidence_files set pages = 2 where pages is null").await;

    let shown = app.json(&["disputes", "show", dispute]).await;
    let source = |field: &str| {
        let needs = shown["called_for"].as_array().expect("a list");
        needs.iter().find(|need| need["field"] == field).map(|need| need["source"].clone())
    };
    assert_eq!((source("receipt"), source("access_activity_log")), (Some(json!("attached")), Some(json!("missing"))));
    let pages = (&shown["limits"]["pages"], &shown["limits"]["most_pages"]);
    assert_eq!(pages, (&json!(3), &json!(49)), "two of the file, one for the text: {shown}");
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(5), "{shown}");
    assert!(shown["at_stripe"].is_null() && shown["not_asked"].as_str().expect("why").contains("STRIPE_API_KEYS"));
    let text = app.command(&["disputes", "show", dispute]).await.stdout;
    assert!(text.contains("of 150000 characters") && text.contains("Stripe was not asked"), "{text}");
    let url =
        [("DATABASE_URL", app.db.url.as_str()), ("STRIPE_API_KEYS", "sk_test_1"), ("STRIPE_API_BASE", &shop.world.url)];
    let asked = crate::binary::run(&["disputes", "show", dispute, "--json"], &url).await;
    let asked: serde_json::Value = serde_json::from_str(&asked.stdout).expect("JSON");
    assert_eq!(asked["at_stripe"]["id"], *dispute, "{asked}");

    let before = app.db.rows("select * from clawback_v1.dispute_responses").await;
    let preview = app.command(&["disputes", "submit", dispute, "--dry-run"]).await.stdout;
    let sent = [
        "evidence[shipping_carrier] = DHL",
        "evidence[uncategorized_text] = winning_evidence",
        "evidence[receipt] = file receipt.pdf, ",
        "submit = true",
    ];
    let (preview, kept) = preview.split_once("Stripe filled in and keeps:").expect("what Stripe filled in");
    assert!(kept.contains("customer_name"), "{kept}");
    let places: Vec<_> =
        sent.iter().map(|line| preview.find(line).unwrap_or_else(|| panic!("{line}: {preview}"))).collect();
    assert!(places.is_sorted() && !preview.contains("product_kind") && !preview.contains("customer_name"), "{preview}");
    assert_eq!(app.db.rows("select * from clawback_v1.dispute_responses").await, before, "a rehearsal changes nothing");
    let refused = app.attempt(&["disputes", "submit", dispute]).await;
    assert_eq!((refused.code, refused.stderr.contains("--yes")), (Some(2), true), "{}", refused.stderr);

    app.command(&["disputes", "submit", dispute, "--version", "5", "--yes", "--by", "grace"]).await;
    app.db.until("select state = 'submitted' from clawback_v1.dispute_responses").await;
    let at_stripe = shop.world.get(&format!("/v1/disputes/{dispute}"), &[]).await.body;
    assert_eq!((&at_stripe["status"], &at_stripe["evidence_details"]["submission_count"]), (&json!("won"), &json!(1)));
    let who = "select actor || ' ' || via from clawback_v1.actions where action = 'submit_evidence'";
    assert_eq!(app.db.value(who).await, "grace cli");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_one_line_and_changes_nothing() {
    let (shop, dispute) = disputed().await;
    let dispute = dispute.as_str();
    let long = format!("customer_name={}", "x".repeat(5_001));
    shop.app.command(&["disputes", "stage", dispute, "customer_name=Jane"]).await;
    for (arguments, code, words) in [
        (
            ["disputes", "stage", dispute, "customer_name=Joan", "--version", "7"].as_slice(),
            1,
            "is version 1, not 7: somebody changed it",
        ),
        (&["disputes", "stage", dispute, &long], 1, "may have at most 5000 characters; it has 5001"),
        (&["disputes", "stage", dispute, "customer_name"], 2, "expected FIELD=TEXT"),
        (&["disputes", "stage", dispute], 2, "FIELD=TEXT"),
        (&["disputes", "stage", dispute, "customer_name=@/nowhere"], 1, "cannot read /nowhere for customer_name"),
        (&["disputes", "attach", dispute, "receipt", "/nowhere.pdf"], 1, "cannot read /nowhere.pdf"),
        (&["disputes", "accept", dispute, "--amount", "999"], 1, "is of 1000 in minor units of eur, not 999"),
        (&["disputes", "submit", "du_unknown", "--yes"], 1, "no dispute du_unknown: `clawback disputes list`"),
        (&["disputes", "accept", "du_unknown", "--amount", "1"], 1, "no dispute du_unknown: `clawback disputes list`"),
        (&["disputes", "detach", "du_unknown", "receipt"], 1, "no dispute du_unknown: `clawback disputes list`"),
        (&["disputes", "stage", dispute, "customer_nam=Jane"], 1, "did you mean customer_name?"),
        (&["disputes", "stage", dispute, "receipt=Jane"], 1, "Attach it with `clawback disputes attach`"),
        (&["disputes", "attach", dispute, "customer_name", "Cargo.toml"], 1, "Stage it with `clawback disputes stage`"),
        (&["disputes", "stage", dispute, "customer_name= "], 1, "Remove it with `--unset customer_name`"),
        (&["disputes", "stage", dispute, "customer_name=A", "customer_name=B"], 2, "customer_name is given twice"),
        (
            &["disputes", "stage", dispute, "customer_name=A", "--unset", "customer_name"],
            2,
            "customer_name is given twice",
        ),
        (
            &["disputes", "stage", dispute, "product_kind=service", "--product", "digital"],
            2,
            "product_kind is given twice",
        ),
    ] {
        let ended = shop.app.attempt(arguments).await;
        assert_eq!((ended.code, ended.stderr.lines().count()), (Some(code), 1), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
    assert_eq!(shop.app.db.value("select version from clawback_v1.dispute_responses").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_evidence_is_refused_once_and_sent_when_it_is_asked_for_again() {
    let (shop, dispute) = disputed().await;
    let app = &shop.app;
    app.command(&["disputes", "stage", &dispute, "uncategorized_text=winning_evidence"]).await;
    app.db.execute("update clawback.disputes set evidence_due_by = now() - interval '3 hours'").await;
    let change = "state = 'rejected', error = 'too many pages (request req_1)'";
    app.db.execute(&format!("update clawback.dispute_responses set {change}")).await;
    let late = app.attempt(&["disputes", "submit", &dispute, "--yes"]).await;
    assert_eq!(late.code, Some(1));
    for words in [
        "Deadline: ",
        " (passed 3h ago)\n",
        "State: rejected\nError: too many pages (request req_1)\n",
        "evidence[uncategorized_text] = winning_evidence",
        "Missing: shipping_tracking_number, ",
    ] {
        assert!(late.stdout.contains(words), "{words}: {}", late.stdout);
    }
    assert!(late.stderr.contains(", 03:00:0") && late.stderr.contains("again within the hour"), "{}", late.stderr);
    app.command(&["disputes", "submit", &dispute, "--yes"]).await;
    assert_ne!(app.db.value("select state from clawback_v1.dispute_responses").await, "draft");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_accepted_with_its_amount_and_lists_are_narrowed() {
    let (shop, dispute) = disputed().await;
    let app = &shop.app;
    app.command(&["disputes", "stage", &dispute, "customer_name=Jane"]).await;
    let row = app.db.rows("select payment_id, charge_id from clawback_v1.disputes").await.remove(0);
    let (payment, charge) = (row["payment_id"].as_str().expect("an id"), row["charge_id"].as_str().expect("an id"));
    for (option, value, other) in
        [("--payment-intent", payment, "pi_x"), ("--charge", charge, "ch_x"), ("--phase", "chargeback", "inquiry")]
    {
        let listed = app.json(&["disputes", "list", option, value]).await;
        assert_eq!((&listed[0]["dispute_id"], &listed[0]["response"]), (&json!(dispute), &json!("draft")), "{option}");
        assert_eq!(app.json(&["disputes", "list", option, other]).await, json!([]), "{option}");
    }
    let said = app.command(&["disputes", "accept", &dispute, "--amount", "1000"]).await.stdout;
    assert!(said.contains("gives up 10.00 EUR") && said.contains("accepting adds none"), "{said}");
    app.db.until("select state = 'accepted' from clawback_v1.dispute_responses").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page_take_a_dispute_from_arrival_to_outcome() {
    let (shop, dispute) = disputed().await;
    let folder = std::env::temp_dir().join(format!("clawback-page-{}", uuid::Uuid::new_v4().simple()));
    std::fs::create_dir(&folder).expect("a folder");
    for (name, content) in [("letter.txt", "winning_evidence".to_owned()), ("delivery.pdf", pdf()), ("map.pdf", pdf())]
    {
        std::fs::write(folder.join(name), content).expect("a file");
    }
    let environment =
        [("DATABASE_URL", shop.app.db.url.as_str()), ("DISPUTE", &dispute), ("ORDER", "o_1"), ("USER", "ada")];
    let run = |name: &str| {
        let output = bash(&blocks(PAGE, name), &environment).current_dir(&folder).output().expect("bash runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    run("dispute");
    shop.app.db.execute("update clawback.evidence_files set pages = 2 where pages is null").await;
    let sent = run("dispute-submit");
    assert!(sent.contains("evidence[shipping_tracking_number] = JD0146"), "{sent}");
    shop.app.db.until("select exists (select from clawback_v1.disputes where outcome = 'won')").await;
    let outcome = run("dispute-outcome");
    assert!(outcome.contains("won") && outcome.contains("submit_evidence"), "{outcome}");
    std::fs::remove_dir_all(&folder).expect("it is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_filled_from_the_payment_and_an_edited_letter_is_kept() {
    let (shop, dispute) = disputed().await;
    let (app, dispute) = (&shop.app, dispute.as_str());
    let rehearsed = app.json(&["disputes", "draft", dispute, "--dry-run"]).await;
    assert!(
        rehearsed["product_kind"].is_null() && rehearsed["notes"].to_string().contains("product_kind"),
        "{rehearsed}"
    );
    assert_eq!(app.db.value("select count(*) from clawback_v1.dispute_responses").await, 0);
    let drafted = app.json(&["disputes", "draft", dispute]).await;
    let letter = drafted["response"]["fields"]["uncategorized_text"].as_str().expect("a letter").to_owned();
    assert!(letter.contains(dispute) && letter.contains("10.00 EUR"), "{letter}");
    let unchanged = "select letter = fields ->> 'uncategorized_text' from clawback.dispute_responses";
    assert_eq!(app.db.value(unchanged).await, true);
    app.command(&["disputes", "stage", dispute, "uncategorized_text=Written by a person"]).await;
    let again = app.json(&["disputes", "draft", dispute]).await;
    assert_eq!(again["response"]["fields"]["uncategorized_text"], "Written by a person");
}

#[test]
fn the_policy_file_of_the_page_is_one() {
    let (_, example) = PAGE.split_once("```json\n").expect("an example");
    let (example, _) = example.split_once("```").expect("the fence closes");
    let policy = clawback::evidence::Policy::parse(example).expect("a policy");
    assert_eq!((policy.refund_policy.len(), policy.fields.len()), (1, 2));
}

/// What a command prints for people.
async fn said(shop: &Shop, arguments: &[&str]) -> String {
    shop.app.command(arguments).await.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_acceptance_and_a_refusal_are_shown_with_what_to_do() {
    let (shop, dispute) = disputed().await;
    let letter = format!("uncategorized_text={}", "Dear bank,\n".repeat(300));
    shop.app.command(&["disputes", "stage", &dispute, &letter]).await;
    let change = "accept_after = '2026-11-30 12:00Z', former_method = 'prefer_manual'";
    shop.app.db.execute(&format!("update clawback.dispute_responses set {change}")).await;
    let shown = said(&shop, &["disputes", "show", &dispute]).await;
    for words in [
        "accepted automatically after 2026-11-30 12:00:00Z; any change of the draft cancels it",
        "Stripe would respond by itself: prefer_manual; set to manual by the first change",
        "uncategorized_text = Dear bank,\n      Dear bank,\n",
        "2 of 49 pages",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let listed = said(&shop, &["disputes", "list"]).await;
    assert!(listed.contains("ACCEPTED AUTOMATICALLY") && listed.contains("2026-11-30 12:00:00Z"), "{listed}");
    let change = "accept_after = null, state = 'rejected', error = 'too many pages (request req_1)'";
    shop.app.db.execute(&format!("update clawback.dispute_responses set {change}")).await;
    let shown = said(&shop, &["disputes", "show", &dispute]).await;
    let words = "Error: too many pages (request req_1)\nThe draft is open again: correct it and submit again";
    assert!(shown.contains(words) && !shown.contains("accepted automatically"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_responses_of_all_phases_are_shown() {
    let shop = Shop::open().await;
    let inquiry = shop.disputed("o_1", "pm_card_createDisputeInquiry").await;
    shop.app.command(&["disputes", "stage", &inquiry, "uncategorized_text=shipped on Monday", "--by", "ada"]).await;
    shop.app.command(&["disputes", "submit", &inquiry, "--yes", "--by", "ada"]).await;
    shop.responded(&inquiry, "submitted").await;
    shop.bank_does("escalate", &inquiry, json!({})).await;
    shop.shows(&inquiry, "phase = 'chargeback'").await;
    shop.app.db.until("select count(*) = 2 from clawback_v1.dispute_responses").await;
    let shown = said(&shop, &["disputes", "show", &inquiry]).await;
    let (present, former) = shown.split_once("Response in the phase inquiry: submitted").expect("both phases");
    assert!(present.contains("Response in the phase chargeback: draft"), "{shown}");
    assert!(
        former.contains("requested by ada\n") && former.contains("uncategorized_text = shipped on Monday"),
        "{shown}"
    );
    let history: Vec<_> = former.lines().filter(|line| line.contains("stage_evidence")).collect();
    assert!(history[0].contains("inquiry  1        uncategorized_text"), "{shown}");
    shop.app.db.execute("delete from clawback.dispute_responses where phase = 'chargeback'").await;
    let shown = said(&shop, &["disputes", "show", &inquiry]).await;
    assert!(shown.contains("Not answered in the phase chargeback") && shown.contains("shipped on Monday"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_takes_no_evidence_says_why_and_an_appeal_says_what_it_takes() {
    let (shop, dispute) = disputed().await;
    shop.app.command(&["disputes", "stage", &dispute, "uncategorized_text=<your name>"]).await;
    let refused = "state = 'rejected', accept_after = now() + interval '1 day'";
    shop.app.db.execute(&format!("update clawback.dispute_responses set {refused}")).await;
    shop.app.db.execute("update clawback.disputes set phase = 'appeal'").await;
    let appeal = said(&shop, &["disputes", "show", &dispute]).await;
    for words in ["appeal.card.reason_for_filing", "missing", "appeal.card.supporting_files[0]", "not there"] {
        assert!(appeal.contains(words) && !appeal.contains("shipping_"), "{words}: {appeal}");
    }
    let promises =
        |text: &str| ["open again", "accepted automatically", "submitted:"].map(|words| text.contains(words));
    assert_eq!(promises(&appeal), [false; 3], "that phase is over: {appeal}");
    for arguments in [["disputes", "draft", &dispute].as_slice(), &["disputes", "draft", &dispute, "--dry-run"]] {
        let refused = shop.app.attempt(arguments).await;
        let words = "an appeal begins empty: stage appeal.card.reason_for_filing";
        assert!(refused.code == Some(1) && refused.stderr.contains(words), "{}", refused.stderr);
    }
    let closed = "can_respond = false, status = 'lost', outcome = 'lost', phase = 'chargeback'";
    shop.app.db.execute(&format!("update clawback.disputes set {closed}")).await;
    let lost = said(&shop, &["disputes", "show", &dispute]).await;
    let words = "The dispute takes no evidence: it is over: its status is lost";
    assert!(lost.contains(words) && !lost.contains("What the reason calls for"), "{lost}");
    assert_eq!(promises(&lost), [false; 3], "{lost}");
    let refused = shop.app.attempt(&["disputes", "draft", &dispute, "--dry-run"]).await;
    assert!(refused.stderr.contains("takes no evidence: it is over: its status is lost"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_takes_only_known_phases_and_names_the_known_statuses() {
    let (shop, dispute) = disputed().await;
    shop.app.command(&["disputes", "stage", &dispute, "customer_name=Jane"]).await;
    let drafts = shop.app.json(&["disputes", "list", "--response", "draft"]).await;
    assert_eq!(drafts[0]["dispute_id"], json!(dispute));
    assert_eq!(shop.app.json(&["disputes", "list", "--response", "submitted"]).await, json!([]));
    let none = said(&shop, &["disputes", "list", "--status", "needs_answer"]).await;
    assert!(
        none.contains("needs_answer is no known status") && none.contains("needs_response, under_review"),
        "{none}"
    );
    let refused = shop.app.attempt(&["disputes", "list", "--phase", "arbitration"]).await;
    assert!(refused.code == Some(2) && refused.stderr.contains("arbitration"), "{}", refused.stderr);
}
