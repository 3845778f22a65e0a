//! How lives are drawn: which steps are how likely, and how payloads are mixed.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::plan::{
    Attempt, Bearer, Captures, Due, Ending, Funds, Gap, Links, Nested, Opening, Plan, Planned, RefundMove, RefundStart,
    Shape, Step,
};
use super::view::Endpoint;

/// Lives of one order or a few; every fifth is of what becomes of a hold.
pub fn plans() -> impl Strategy<Value = Plan> {
    prop_oneof![4 => of_all_sorts(), 1 => holds()]
}

fn of_all_sorts() -> impl Strategy<Value = Plan> {
    let steps = (prop::collection::vec(planned(opening()), 1..8), prop::collection::vec(planned(later()), 0..26));
    (shapes(), endpoints(), steps, any::<u64>()).prop_map(|(shape, endpoint, (mut steps, later), seed)| {
        steps.extend(later);
        Plan { shape, endpoint, steps, seed }
    })
}

/// A part of a hold is captured, or none, and then some of it goes back; in events of any version.
fn holds() -> impl Strategy<Value = Plan> {
    use Endpoint::*;
    let seen = [Everything, Advised, ChargeRefunded, AllButRefunds, AllButCharges, AllButIntents, ChangedRefunds];
    let version = select(vec!["2019-02-19", "2025-03-31.basil", "2026-07-29.dahlia"]);
    let holds = Just(Step::Attempt { ends: Attempt::Authorizes }).boxed();
    let part = (1..100_u8, any::<bool>()).prop_map(|(percent, old)| Step::Capture { percent, old });
    let ends = prop_oneof![6 => part, 1 => captures()];
    let money = prop_oneof![6 => refunds(), 1 => disputes(), 1 => Just(Step::ChargeTouched)];
    let steps = (planned(holds), planned(ends), prop::collection::vec(planned(money), 0..7));
    (shapes(), select(seen.to_vec()), version, steps, any::<u64>()).prop_map(
        |(shape, endpoint, api_version, (holds, ends, mut steps), seed)| {
            steps.splice(0..0, [holds, ends]);
            steps.iter_mut().for_each(|step| step.payment = 0);
            Plan { shape: Shape { payments: 1, api_version, ..shape }, endpoint, steps, seed }
        },
    )
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    use Endpoint::*;
    let narrow = [
        ChargeRefunded,
        Refunds,
        Disputes,
        DisputeEnds,
        RefundsAndDisputes,
        AllButRefunds,
        AllButCharges,
        AllButIntents,
        Intents,
        Sessions,
        ChangedRefunds,
        Warnings,
        DeclinedCharges,
    ];
    prop_oneof![5 => Just(Everything), 3 => Just(Advised), 6 => select(narrow.to_vec())]
}

fn shapes() -> impl Strategy<Value = Shape> {
    let size = prop_oneof![4 => Just(1_usize), 2 => Just(2_usize), 1 => Just(3_usize)];
    let whose = (option::weighted(0.2, Just("acct_1")), any::<bool>(), select(vec!["eur", "usd"]));
    let money = (
        prop::bool::weighted(0.15),
        option::weighted(0.3, select(vec![("usd", 113_i64), ("chf", 40), ("huf", 39_000)])),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.5),
        (prop::bool::weighted(0.8), select(vec!["card", "card", "card", "klarna", "sepa_debit"])),
    );
    let links = (
        select(vec![Links::Both, Links::Both, Links::Charge, Links::Intent]),
        any::<bool>(),
        prop::bool::weighted(0.3),
    );
    let habits = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let captures = (
        select(vec![Captures::Old, Captures::New, Captures::Mixed]),
        prop::bool::weighted(0.3),
        any::<bool>(),
        prop::bool::weighted(0.7),
    );
    (size, whose, money, eras(), links, habits, captures).prop_map(
        |(payments, (account, livemode, currency), money, era, links, habits, captures)| Shape {
            payments,
            account,
            livemode,
            currency,
            two_currencies: money.0,
            settlement: money.1,
            rates: money.4.0,
            method: money.4.1,
            two_scopes: money.2,
            foreign_children: money.3,
            refund_links: links.0,
            dispute_links: if links.1 { Links::Both } else { Links::Charge },
            links_fade: links.2,
            lowers: habits.0,
            refunded_at_success: habits.1,
            void_shows_on_charge: habits.2,
            void_makes_refund: habits.3,
            copies_metadata: habits.4,
            noise: habits.5,
            captures: captures.0,
            expands_balance: captures.1,
            bare_refunds: captures.2,
            releases_tell: captures.3,
            ..era
        },
    )
}

/// Payloads of today, of one payment.
pub fn today() -> Shape {
    Shape {
        payments: 1,
        account: None,
        livemode: false,
        currency: "eur",
        two_currencies: false,
        two_scopes: false,
        settlement: None,
        rates: true,
        method: "card",
        api_version: "2025-04-30.basil",
        captures: Captures::New,
        releases_tell: true,
        expands_balance: false,
        bare_refunds: false,
        sees_captures: true,
        sees_refunds: true,
        sees_cancels: true,
        direct: false,
        nested_refunds: Nested::Absent,
        nested_charges: false,
        amount_captured: true,
        charge_status: true,
        refund_events: true,
        refund_links: Links::Both,
        dispute_links: Links::Both,
        links_fade: false,
        case_types: true,
        lowers: false,
        refunded_at_success: false,
        declined_at_once: true,
        void_shows_on_charge: true,
        void_makes_refund: false,
        copies_metadata: true,
        charges_again: true,
        foreign_children: false,
        noise: false,
    }
}

/// The payloads of an API version: from today's back to the oldest.
fn eras() -> impl Strategy<Value = Shape> {
    let today = today();
    let direct = Shape { direct: true, ..today.clone() };
    let before_2024_10 = Shape { api_version: "2024-06-20", refund_events: false, ..today.clone() };
    let before_2022_11 = Shape {
        api_version: "2020-08-27",
        nested_refunds: Nested::List,
        nested_charges: true,
        case_types: false,
        ..today.clone()
    };
    let before_2020 =
        Shape { api_version: "2019-02-19", amount_captured: false, refund_events: false, ..before_2022_11.clone() };
    let ancient = Shape {
        direct: true,
        nested_refunds: Nested::BareArray,
        nested_charges: false,
        charge_status: false,
        ..before_2020.clone()
    };
    let oldest = Shape { nested_refunds: Nested::WithoutStatus, ..ancient.clone() };
    prop_oneof![
        5 => Just(today),
        1 => Just(direct),
        1 => Just(before_2024_10),
        2 => Just(before_2022_11),
        1 => Just(before_2020),
        1 => Just(ancient),
        1 => Just(oldest),
    ]
}

fn planned(steps: impl Strategy<Value = Step>) -> impl Strategy<Value = Planned> {
    (gaps(), 0..3_u8, steps).prop_map(|(gap, payment, step)| Planned { gap, payment, step })
}

fn gaps() -> impl Strategy<Value = Gap> {
    prop_oneof![
        5 => Just(Gap::None),
        2 => Just(Gap::Second),
        1 => (1..90_u8).prop_map(Gap::Minutes),
        1 => (1..10_u8).prop_map(Gap::Days),
        1 => (1..9_u8).prop_map(Gap::Weeks),
    ]
}

/// How a payment comes about.
fn opening() -> impl Strategy<Value = Step> {
    let attempt = prop_oneof![
        2 => Just(Attempt::Fails),
        6 => Just(Attempt::Succeeds),
        3 => Just(Attempt::Authorizes),
        1 => Just(Attempt::Waits),
        1 => Just(Attempt::AsksTheBuyer),
    ];
    prop_oneof![
        3 => (10..20_000_u16, orders()).prop_map(|(amount, order)| Step::Begin { amount, order }),
        6 => attempt.prop_map(|ends| Step::Attempt { ends }),
        1 => any::<bool>().prop_map(|ok| Step::Settle { ok }),
        2 => (percents(), any::<bool>()).prop_map(|(percent, old)| Step::Capture { percent, old }),
        1 => sessions(),
    ]
}

fn later() -> impl Strategy<Value = Step> {
    prop_oneof![4 => opening(), 2 => captures(), 8 => refunds(), 10 => disputes(), 5 => around()]
}

fn captures() -> impl Strategy<Value = Step> {
    prop_oneof![
        percents().prop_map(|percent| Step::CaptureSome { percent }),
        percents().prop_map(|percent| Step::ChargeAgain { percent }),
        any::<bool>().prop_map(|expired| Step::Void { expired }),
    ]
}

fn refunds() -> impl Strategy<Value = Step> {
    use RefundStart::*;
    let starts = prop_oneof![3 => Just(Succeeded), 2 => Just(Pending), 1 => Just(RequiresAction)];
    let moves = select(vec![
        RefundMove::Pending,
        RefundMove::Succeeded,
        RefundMove::Failed,
        RefundMove::Failed,
        RefundMove::Canceled,
        RefundMove::Returned,
    ]);
    prop_oneof![
        8 => (percents(), starts, prop::bool::weighted(0.1))
            .prop_map(|(percent, starts, foreign)| Step::Refund { percent, starts, foreign }),
        8 => (0..4_u8, moves).prop_map(|(which, to)| Step::RefundMoves { which, to }),
        2 => (0..4_u8).prop_map(|which| Step::RefundTouched { which }),
        1 => (1..999_u16).prop_map(|amount| Step::StrayRefund { amount }),
    ]
}

fn disputes() -> impl Strategy<Value = Step> {
    let opens = prop_oneof![
        3 => Just(Opening::Inquiry),
        5 => Just(Opening::Chargeback),
        1 => Just(Opening::Compliance),
        1 => Just(Opening::Unchallengeable),
        2 => Just(Opening::Prevented),
    ];
    let due = prop_oneof![4 => (1..4_u8).prop_map(Due::InWeeks), 1 => Just(Due::Unknown)];
    let funds = || prop_oneof![3 => Just(Funds::AtOnce), 1 => Just(Funds::Later)];
    let ends = prop_oneof![3 => Just(Ending::Won), 3 => Just(Ending::Lost), 1 => (1..100_u8).prop_map(Ending::LostPartBack),
            1 => Just(Ending::LostRefundedBack)];
    let which = || 0..3_u8;
    prop_oneof![
        8 => (5..131_u8, opens, due, prop::bool::weighted(0.2), funds())
            .prop_map(|(percent, opens, due, foreign, funds)| Step::Dispute { percent, opens, due, foreign, funds }),
        2 => which().prop_map(|which| Step::Withdraw { which }),
        1 => which().prop_map(|which| Step::Stage { which }),
        5 => which().prop_map(|which| Step::Submit { which }),
        3 => (which(), funds()).prop_map(|(which, funds)| Step::Escalate { which, funds }),
        6 => (which(), ends).prop_map(|(which, ends)| Step::Close { which, ends }),
        2 => which().prop_map(|which| Step::LateWin { which }),
        1 => which().prop_map(|which| Step::Reopen { which }),
        2 => which().prop_map(|which| Step::Appeal { which }),
    ]
}

/// Every word that a review was ever closed with, and one that none was.
const CLOSING_WORDS: &[&str] = &[
    "approved",
    "acknowledged",
    "redacted",
    "refunded",
    "refunded_as_fraud",
    "disputed",
    "canceled",
    "payment_never_settled",
    "never_heard_of",
];

fn around() -> impl Strategy<Value = Step> {
    let on = select(vec![Bearer::Intent, Bearer::Charge, Bearer::Session]);
    prop_oneof![
        3 => (on, orders()).prop_map(|(on, order)| Step::SetOrder { on, order }),
        3 => sessions(),
        2 => (0..2_u8, any::<bool>()).prop_map(|(order, by_charge)| Step::Link { order, by_charge }),
        1 => orders().prop_map(|order| Step::SessionExpires { order }),
        1 => any::<bool>().prop_map(|ok| Step::SessionAgain { ok }),
        2 => Just(Step::ChargeTouched),
        2 => Just(Step::Warn),
        1 => (0..2_u8).prop_map(|which| Step::WarningEnds { which }),
        1 => Just(Step::ReviewOpens),
        1 => (0..2_u8, select(CLOSING_WORDS)).prop_map(|(which, word)| Step::ReviewCloses { which, word }),
    ]
}

fn sessions() -> impl Strategy<Value = Step> {
    (orders(), orders(), any::<bool>()).prop_map(|(order, client, payment_link)| Step::Session {
        order,
        client,
        payment_link,
    })
}

fn orders() -> impl Strategy<Value = Option<u8>> {
    option::weighted(0.6, prop_oneof![3 => Just(0_u8), 1 => Just(1_u8)])
}

fn percents() -> impl Strategy<Value = u8> {
    prop_oneof![2 => Just(100_u8), 3 => 1..100_u8]
}
