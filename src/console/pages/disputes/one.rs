//! What the page of one dispute shows. Pure.

use maud::{Markup, html};
use serde_json::Value;
use time::OffsetDateTime;

use super::answer;
use super::case::Case;
use super::response;
use crate::console::parts::{
    Head, Tone, code, code_or_none, deadline, disabled, facts, foreign, moment, money, note, nothing, state, table, to,
    unknown,
};
use crate::console::who::Who;
use crate::store::queries::{Action, Dispute, Payment};

/// How the dispute is answered.
pub(super) enum Answering {
    /// This person sees it.
    Seen(Box<Case>),
    /// This person lacks the right.
    Hidden,
}

pub(super) struct View<'a> {
    pub dispute: Dispute,
    pub answering: Answering,
    pub payment: Option<Payment>,
    /// Other disputes of the payment.
    pub siblings: Vec<Dispute>,
    pub actions: Vec<Action>,
    pub who: &'a Who,
    /// Why this person can do nothing here.
    pub cannot: Option<String>,
    pub now: OffsetDateTime,
}

impl View<'_> {
    pub(super) fn content(&self) -> Markup {
        html! {
            section data-region="dispute" { (self.top()) (self.warnings()) (self.buttons()) }
            section data-region="response" {
                @match &self.answering {
                    Answering::Seen(case) => (response::section(case, self.who)),
                    Answering::Hidden => p.hint { "You lack the right “respond” to see how it is answered." },
                }
                div.cards { (self.at_stripe()) (self.money()) }
                (self.others())
                (self.history())
            }
        }
    }

    /// How often it is refreshed, in seconds.
    pub(super) fn pace(&self) -> u32 {
        match &self.answering {
            Answering::Seen(case) if case.is_on_its_way() => 5,
            Answering::Seen(_) | Answering::Hidden => 60,
        }
    }

    fn top(&self) -> Markup {
        let dispute = &self.dispute;
        html! {
            div.card {
                dl.facts {
                    div { dt { (self.what_is_due()) } dd.big { (self.due()) } }
                    div { dt { "Amount" } dd.big { (money(dispute.amount, &dispute.currency)) } }
                }
                (facts(&[
                    ("Reason", html! { (code_or_none(dispute.reason.as_deref())) @if let Some(network) = &dispute.network_reason_code { ", network's code " (code(network)) } }),
                    ("Phase", code(&dispute.phase)),
                    ("Status", state(&dispute.status)),
                    ("Our answer", match &self.answering {
                        Answering::Seen(case) => answer::badge_of(case, self.who),
                        Answering::Hidden => nothing(),
                    }),
                ]))
            }
        }
    }

    fn what_is_due(&self) -> &'static str {
        if self.dispute.outcome.is_some() { "Outcome" } else { "Evidence due" }
    }

    fn due(&self) -> Markup {
        due(&self.dispute, self.now)
    }

    fn warnings(&self) -> Markup {
        let intended = self.dispute.intended_submission_method.as_deref().filter(|method| *method != "manual");
        html! {
            @if let (Some(method), true) = (intended, self.dispute.can_respond) {
                (note(Tone::Warn, &html! {
                    p { strong { "Stripe may answer first. " } "Its Smart Disputes are set to " (code(method)) ": at the deadline Stripe submits what it has by itself. A draft that is only here counts as nothing there." }
                    p { "The first change of the draft by a person sets this to " code { "manual" } "." }
                }))
            }
        }
    }

    fn why_closed(&self) -> Option<String> {
        match &self.answering {
            Answering::Seen(case) => case.unchangeable(),
            Answering::Hidden => None,
        }
    }

    fn buttons(&self) -> Markup {
        let at = to("/disputes/", &self.dispute.dispute_id);
        let why = self.cannot.clone().or_else(|| self.why_closed());
        html! {
            @if self.dispute.outcome.is_none() {
                div.actions {
                    @match &why {
                        Some(why) => (disabled("Answer", why)),
                        None => {
                            a.button.primary href={ (at) "/evidence" } { "Write the evidence" }
                            @if self.dispute.phase != "appeal" { a.button href={ (at) "/draft" } { "Fill in what is known" } }
                            a.button href={ (at) "/submit" } { "Review and submit" }
                            @if self.dispute.phase != "inquiry" { a.button.danger href={ (at) "/accept" } { "Accept the loss" } }
                        }
                    }
                    @if self.dispute.phase == "inquiry" { a.button href={ (at) "/accept" } { "End the inquiry" } }
                }
            }
        }
    }

    /// What Stripe has.
    fn at_stripe(&self) -> Markup {
        let dispute = &self.dispute;
        let yes_or_no = |it: bool| html! { (if it { "yes" } else { "no" }) };
        let eligibility =
            dispute.enhanced_eligibility.as_ref().filter(|all| all.as_object().is_some_and(|all| !all.is_empty()));
        html! {
            section.card {
                h2 { "At Stripe" }
                (facts(&[
                    ("Evidence at Stripe", yes_or_no(dispute.has_evidence)),
                    ("Submissions", html! { (dispute.submission_count) }),
                    ("Last submission late", yes_or_no(dispute.past_due)),
                    ("What Stripe does at the deadline", code_or_none(dispute.intended_submission_method.as_deref())),
                    ("Submission method", code_or_none(dispute.submission_method.as_deref())),
                    ("Network programmes", eligibility.map_or_else(nothing, programmes)),
                    ("Opened", moment(dispute.created_at)),
                    ("Last change", moment(dispute.updated_at)),
                ]))
                @if let Answering::Seen(case) = &self.answering { (response::held(case, self.who)) }
            }
        }
    }

    /// The payment, and what moved.
    fn money(&self) -> Markup {
        let dispute = &self.dispute;
        let order = match &dispute.order_id {
            Some(order) => html! { a href=(to("/orders?id=", order)) { (foreign(order)) } },
            None => html! { "none: " a href="~/unlinked" { "unlinked payments" } },
        };
        let refundable = match dispute.is_charge_refundable {
            Some(true) => html! { "yes" },
            Some(false) => html! { "no" },
            None => unknown(),
        };
        html! {
            section.card {
                h2 { "Payment and order" }
                (facts(&[
                    ("Order", order),
                    ("Payment", code_or_none(dispute.payment_id.as_deref())),
                    ("Charge", code_or_none(dispute.charge_id.as_deref())),
                    ("Account", code_or_none(dispute.account.as_deref())),
                    ("Method", code_or_none(dispute.payment_method.as_deref())),
                    ("Charge refundable", refundable),
                ]))
                (moved(dispute))
                @if let Some(payment) = &self.payment { (paid(payment)) }
            }
        }
    }

    fn others(&self) -> Markup {
        const HEADS: [Head; 5] = [
            Head::Text("Dispute"),
            Head::Text("Phase"),
            Head::Text("Status"),
            Head::Number("Amount"),
            Head::Text("Evidence due"),
        ];
        html! {
            @if !self.siblings.is_empty() {
                h2 { "Other disputes of this payment" }
                (table("Other disputes of this payment", &HEADS, &html! { @for other in &self.siblings {
                    tr data-key=(other.dispute_id) {
                        td { a href=(to("/disputes/", &other.dispute_id)) { (code(&other.dispute_id)) } }
                        td { (code(&other.phase)) }
                        td { (state(&other.status)) }
                        td.number { (money(other.amount, &other.currency)) }
                        td { (due(other, self.now)) }
                    }
                } }))
            }
        }
    }

    fn history(&self) -> Markup {
        const HEADS: [Head; 4] = [Head::Text("At"), Head::Text("Who"), Head::Text("Did"), Head::Text("What")];
        html! {
            h2 { "History" }
            @if self.actions.is_empty() { p.empty { "Nobody did anything about this dispute yet." } } @else {
                (table("What was done about this dispute", &HEADS, &html! { @for action in self.actions.iter().rev() {
                    tr {
                        td { (moment(action.at)) }
                        td { (foreign(&action.actor)) }
                        td { (code(&action.action)) }
                        td.wide { (what(action)) }
                    }
                } }))
            }
        }
    }
}

/// The deadline of a dispute, or why there is none.
pub(super) fn due(dispute: &Dispute, now: OffsetDateTime) -> Markup {
    match (&dispute.outcome, dispute.can_respond, dispute.evidence_due_by) {
        (Some(outcome), _, _) => state(outcome),
        (None, _, Some(at)) if answer::is_awaited(dispute) => deadline(at, now),
        (None, _, Some(at)) => moment(at),
        (None, true, None) => unknown(),
        (None, false, None) => html! { span.none { "no answer possible" } },
    }
}

/// The networks' programmes and what Stripe says of each: `visa_compelling_evidence_3: qualified`.
fn programmes(all: &Value) -> Markup {
    let all = all.as_object().into_iter().flatten();
    html! { @for (name, value) in all {
        div { (code(name)) @if let Some(status) = value.get("status").and_then(Value::as_str) { ": " (code(status)) } }
    } }
}

/// What the dispute moved on the balance.
fn moved(dispute: &Dispute) -> Markup {
    let settled = |amount: i64| match &dispute.settlement_currency {
        Some(currency) => money(amount, currency),
        None => nothing(),
    };
    html! {
        h3 { "What the dispute moved" }
        (facts(&[
            ("Withdrawn", settled(dispute.amount_withdrawn)),
            ("Returned", settled(dispute.amount_reinstated)),
            ("Dispute fee", settled(dispute.fee)),
            ("Lost", money(dispute.amount_lost, &dispute.currency)),
        ]))
    }
}

fn paid(payment: &Payment) -> Markup {
    let amount = |minor: i64| payment.currency.as_deref().map_or_else(unknown, |currency| money(minor, currency));
    html! {
        h3 { "What was paid" }
        (facts(&[
            ("State", state(&payment.state)),
            ("Paid", payment.amount_paid.map_or_else(unknown, amount)),
            ("Refunded", amount(payment.amount_refunded)),
            ("In open disputes", amount(payment.amount_disputed)),
            ("Lost in disputes", amount(payment.amount_lost)),
        ]))
    }
}

/// The phase, the version, the fields and the reason of an action.
fn what(action: &Action) -> Markup {
    let words = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(all) => Some(all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    };
    let known = ["phase", "version", "fields", "field", "missing", "code"];
    let said =
        known.iter().filter_map(|name| Some((*name, words(&action.detail[*name]).filter(|text| !text.is_empty())?)));
    let reason = action.reason.clone().map(|reason| ("reason", reason));
    html! {
        @for (place, (name, text)) in said.chain(reason).enumerate() {
            @if place > 0 { ", " }
            (name) " " (foreign(&text))
        }
    }
}
