//! The words a life is planned in: shapes of an account's payloads, and abstract steps.
//!
//! A step names no object, only "the n-th there is"; whether it is possible is decided when it is lived.

/// A planned life.
#[derive(Clone, Debug)]
pub struct Plan {
    pub shape: Shape,
    pub endpoint: super::view::Endpoint,
    pub steps: Vec<Planned>,
    /// Of event ids and of the order of delivery.
    pub seed: u64,
}

/// A step in its place.
#[derive(Clone, Debug)]
pub struct Planned {
    pub gap: Gap,
    pub payment: u8,
    pub step: Step,
}

/// How long after the step before. Stripe's clock counts seconds, so `None` is a tie.
#[derive(Clone, Copy, Debug)]
pub enum Gap {
    None,
    Second,
    Minutes(u8),
    Days(u8),
    Weeks(u8),
}

/// How an account's payloads look, and how Stripe behaves where its documentation is silent.
#[derive(Clone, Debug)]
pub struct Shape {
    pub payments: usize,
    pub account: Option<&'static str>,
    pub livemode: bool,
    pub currency: &'static str,
    /// The second payment is in another currency.
    pub two_currencies: bool,
    /// The second payment is of another connected account, and in the other mode.
    pub two_scopes: bool,
    /// Balance transactions are in this currency at this rate in percent; none: the payment's own.
    pub settlement: Option<(&'static str, i64)>,
    /// Balance transactions tell at which rate they were converted.
    pub rates: bool,
    /// `payment_method_details.type` of disputes.
    pub method: &'static str,
    /// Of events.
    pub api_version: &'static str,
    /// How what a capture releases is shown.
    pub captures: Captures,
    /// What a capture releases, where it is a refund, is told in `charge.refunded` too.
    pub releases_tell: bool,
    /// Charges show their balance transaction, not its id.
    pub expands_balance: bool,
    /// Refunds may have neither reason nor metadata.
    pub bare_refunds: bool,
    /// The endpoint sees each charge as its capture left it.
    pub sees_captures: bool,
    /// The endpoint sees each refund when it is made.
    pub sees_refunds: bool,
    /// The endpoint sees that an intent is canceled.
    pub sees_cancels: bool,
    /// Charges without payment intents.
    pub direct: bool,
    /// `charge.refunds`.
    pub nested_refunds: Nested,
    /// `payment_intent.charges`, of old versions.
    pub nested_charges: bool,
    /// Older payloads lack `amount_captured`.
    pub amount_captured: bool,
    /// The oldest lack `charge.status`.
    pub charge_status: bool,
    /// `refund.*` is sent for refunds of charges; before 2024-10-28 only `charge.refund.updated` was.
    pub refund_events: bool,
    pub refund_links: Links,
    pub dispute_links: Links,
    /// Later events of a child may name its charge only, where the first named the intent too.
    pub links_fade: bool,
    /// `payment_method_details.card.case_type` of disputes.
    pub case_types: bool,
    /// Whether `charge.amount_refunded` falls when a refund fails.
    pub lowers: bool,
    /// `charge.refunded` comes when a refund succeeds, not when it is made.
    pub refunded_at_success: bool,
    /// An intent may be made and its first attempt fail within a second.
    pub declined_at_once: bool,
    /// Letting an authorization go shows on the charge too, not on the intent alone.
    pub void_shows_on_charge: bool,
    /// Letting an authorization go makes a refund object.
    pub void_makes_refund: bool,
    /// An intent's metadata is copied to the charges it makes.
    pub copies_metadata: bool,
    /// An intent may have a second charge after its first was captured.
    pub charges_again: bool,
    /// A dispute or refund may be in another currency than its payment.
    pub foreign_children: bool,
    /// Refunds and disputes carry metadata that names another order.
    pub noise: bool,
}

impl Shape {
    /// The account and mode of a payment.
    pub fn scope(&self, payment: usize) -> (Option<&'static str>, bool) {
        if self.two_scopes && payment == 1 { (Some("acct_2"), !self.livemode) } else { (self.account, self.livemode) }
    }
}

/// Whether the requests that capture are of a version before 2025-03-31.basil: then what they release is made a refund
/// of, and counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captures {
    Old,
    New,
    /// One as the other.
    Mixed,
}

/// How refunds are nested in a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nested {
    Absent,
    List,
    BareArray,
    /// A bare array of refunds without a status: all of them have succeeded.
    WithoutStatus,
}

/// What a refund or dispute names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    Both,
    Charge,
    Intent,
}

/// Something that happens to a payment.
#[derive(Clone, Debug)]
pub enum Step {
    /// The intent is made; a later step makes it too, when it is missing.
    Begin {
        amount: u16,
        order: Option<u8>,
    },
    Attempt {
        ends: Attempt,
    },
    /// A slow payment method settles.
    Settle {
        ok: bool,
    },
    Capture {
        percent: u8,
        /// By a request of an old version, where both are made.
        old: bool,
    },
    /// A part is captured and the rest stays authorized.
    CaptureSome {
        percent: u8,
    },
    /// A second charge on an intent of which a part was captured.
    ChargeAgain {
        percent: u8,
    },
    /// The authorization or the intent is let go; by time when expired.
    Void {
        expired: bool,
    },
    Refund {
        percent: u8,
        starts: RefundStart,
        foreign: bool,
    },
    RefundMoves {
        which: u8,
        to: RefundMove,
    },
    /// A bank's reference arrives.
    RefundTouched {
        which: u8,
    },
    /// A refund that names neither charge nor intent.
    StrayRefund {
        amount: u16,
    },
    Dispute {
        percent: u8,
        opens: Opening,
        due: Due,
        foreign: bool,
        funds: Funds,
    },
    /// Money that was to be withdrawn is.
    Withdraw {
        which: u8,
    },
    Stage {
        which: u8,
    },
    Submit {
        which: u8,
    },
    Escalate {
        which: u8,
        funds: Funds,
    },
    Close {
        which: u8,
        ends: Ending,
    },
    LateWin {
        which: u8,
    },
    /// A lost dispute is contested once more.
    Appeal {
        which: u8,
    },
    /// A prevented dispute becomes a chargeback after all.
    Reopen {
        which: u8,
    },
    SetOrder {
        on: Bearer,
        order: Option<u8>,
    },
    /// Somebody says which order the payment is for, by the id of its intent or of a charge.
    Link {
        order: u8,
        by_charge: bool,
    },
    /// The buyer leaves a checkout page unpaid: no payment comes of it.
    SessionExpires {
        order: Option<u8>,
    },
    Session {
        order: Option<u8>,
        client: Option<u8>,
        payment_link: bool,
    },
    SessionAgain {
        ok: bool,
    },
    /// Something changes that matters to nobody here.
    ChargeTouched,
    Warn,
    WarningEnds {
        which: u8,
    },
    ReviewOpens,
    ReviewCloses {
        which: u8,
        word: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Fails,
    Succeeds,
    Authorizes,
    Waits,
    AsksTheBuyer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStart {
    Succeeded,
    Pending,
    RequiresAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundMove {
    Pending,
    Succeeded,
    Failed,
    Canceled,
    /// The bank sent the money back, and the buyer is asked for other details.
    Returned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    Inquiry,
    Chargeback,
    Compliance,
    /// Created and lost in one: no response is allowed.
    Unchallengeable,
    Prevented,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    InWeeks(u8),
    Unknown,
}

/// When a chargeback's money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funds {
    AtOnce,
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Won,
    Lost,
    /// Lost, and so many percent of the money come back.
    LostPartBack(u8),
    /// Lost, and what had been refunded comes back.
    LostRefundedBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bearer {
    Intent,
    Charge,
    Session,
}
