//! Stripe's objects as they truly are at one moment, and the merchant's money in them.
//!
//! Plain data; how it looks on the wire is in `render.rs`, how it changes in `world.rs`.

#[derive(Clone, Debug)]
pub struct Intent {
    pub id: String,
    pub amount: i64,
    pub currency: &'static str,
    pub status: &'static str,
    pub received: i64,
    pub last_attempt_failed: bool,
    pub order: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Charge {
    pub id: String,
    pub amount: i64,
    pub currency: &'static str,
    pub status: &'static str,
    pub created: i64,
    /// When all that is captured was.
    pub captured_at: i64,
    /// The merchant's: what was taken from the buyer.
    pub captured: i64,
    /// Of a slow payment method: until it settles, and when it fails, Stripe shows its amount as captured.
    pub slow: bool,
    /// The rest of an authorization that was let go by a capture, where Stripe counts that as refunded.
    pub released: i64,
    /// All that will be captured is.
    pub settled: bool,
    /// The authorization was let go altogether.
    pub voided: bool,
    /// Stripe shows the letting go on the charge.
    pub void_shown: bool,
    /// The refunds that Stripe counts in `amount_refunded`, with their amounts.
    pub counted: Vec<(String, i64)>,
    pub order: Option<String>,
}

impl Charge {
    /// What Stripe shows as refunded, the released rest of an authorization included.
    pub fn shown(&self) -> i64 {
        let voided = if self.void_shown { self.amount } else { 0 };
        self.counted.iter().map(|(_, amount)| amount).sum::<i64>() + self.released + voided
    }

    /// Stripe says that nothing is left of it.
    pub fn shown_refunded(&self) -> bool {
        let counted: i64 = self.counted.iter().map(|(_, amount)| amount).sum();
        self.void_shown || self.captured > 0 && self.settled && counted == self.captured
    }

    /// What Stripe shows as captured.
    pub fn shown_captured(&self) -> i64 {
        if self.slow && self.status != "succeeded" { self.amount } else { self.captured }
    }

    pub fn is_authorization(&self) -> bool {
        self.status == "succeeded" && self.captured == 0 && !self.voided
    }
}

#[derive(Clone, Debug)]
pub struct Refund {
    pub id: String,
    /// The charge it is of; none for a stray one.
    pub charge: Option<String>,
    pub amount: i64,
    pub currency: &'static str,
    pub status: &'static str,
    pub created: i64,
    /// It only says that an authorization, or the rest of one, was let go.
    pub releases: bool,
    pub reason: Option<&'static str>,
    /// Without metadata.
    pub bare: bool,
}

impl Refund {
    /// The money is with the buyer or on its way.
    pub fn is_live(&self) -> bool {
        !["failed", "canceled"].contains(&self.status)
    }
}

/// A movement of the merchant's balance.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: String,
    pub amount: i64,
    pub fee: i64,
    pub currency: &'static str,
    pub created: i64,
    /// What moved, in the dispute's currency, before it was converted.
    pub own: i64,
    /// At which rate in percent it was converted.
    pub rate: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Dispute {
    pub id: String,
    pub charge: String,
    pub amount: i64,
    pub currency: &'static str,
    pub status: &'static str,
    pub compliance: bool,
    /// How it was paid, where a dispute says so.
    pub method: Option<&'static str>,
    pub due_by: Option<i64>,
    pub staged: bool,
    pub submissions: i64,
    /// Evidence was sent in the phase it is in.
    pub answered: bool,
    pub entries: Vec<Entry>,
    pub created: i64,
}

impl Dispute {
    pub fn is_inquiry(&self) -> bool {
        self.status.starts_with("warning_")
    }

    pub fn is_open(&self) -> bool {
        self.status.ends_with("_response") || self.status.ends_with("_review")
    }

    pub fn is_appeal(&self) -> bool {
        self.status.starts_with("appeal_")
    }

    /// What is gone by now, in its own currency.
    pub fn away(&self) -> i64 {
        -self.entries.iter().map(|entry| entry.own).sum::<i64>()
    }

    /// What was taken from the merchant's balance.
    pub fn withdrawn(&self) -> i64 {
        -self.entries.iter().map(|entry| entry.amount.min(0)).sum::<i64>()
    }

    /// What was given back.
    pub fn reinstated(&self) -> i64 {
        self.entries.iter().map(|entry| entry.amount.max(0)).sum()
    }
}

#[derive(Clone, Debug)]
pub struct Session {
    pub id: String,
    /// None for one that no payment came of.
    pub intent: Option<String>,
    pub currency: &'static str,
    pub paid: bool,
    pub order: Option<String>,
    pub client: Option<String>,
    pub payment_link: bool,
}

#[derive(Clone, Debug)]
pub struct Warning {
    pub id: String,
    pub charge: String,
    pub actionable: bool,
    pub created: i64,
}

#[derive(Clone, Debug)]
pub struct Review {
    pub id: String,
    pub charge: String,
    pub open: bool,
    pub reason: &'static str,
    pub created: i64,
}

/// Somebody's word that a payment is for an order.
#[derive(Clone, Debug)]
pub struct Link {
    /// The intent or charge it was said of.
    pub id: String,
    pub order: String,
}

/// An object that an event showed.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The payment it is of, by its place in the life; none for what names no payment.
    pub payment: Option<usize>,
    /// The object says which intent that is.
    pub names_intent: bool,
    /// The charge it is or names.
    pub charge: Option<String>,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    Intent(Intent),
    Charge(Charge),
    Refund(Refund),
    Dispute(Dispute),
    Session(Session),
    Warning(Warning),
    Review(Review),
    Link(Link),
}

impl What {
    /// For a person.
    pub fn brief(&self) -> String {
        match self {
            Self::Intent(i) => {
                format!("{} {} {} received {} order {:?}", i.id, i.status, i.amount, i.received, i.order)
            }
            Self::Charge(c) => {
                let (id, status, amount) = (&c.id, c.status, c.amount);
                format!("{id} {status} {amount} captured {} refunded {} order {:?}", c.captured, c.shown(), c.order)
            }
            Self::Refund(r) => format!("{} {} {} {} made {}", r.id, r.status, r.amount, r.currency, r.created),
            Self::Dispute(d) => {
                let money: Vec<i64> = d.entries.iter().map(|entry| entry.amount).collect();
                let (id, status, amount) = (&d.id, d.status, d.amount);
                format!("{id} {status} {amount} {} due {:?} sent {} {money:?}", d.currency, d.due_by, d.submissions)
            }
            Self::Session(s) => format!("{} order {:?} client {:?} link {}", s.id, s.order, s.client, s.payment_link),
            Self::Warning(w) => format!("{} actionable {}", w.id, w.actionable),
            Self::Link(l) => format!("{} is for {}", l.id, l.order),
            Self::Review(r) => format!("{} open {} {}", r.id, r.open, r.reason),
        }
    }
}
