//! Who pays, and with what. All of them are invented.

/// A buyer as Stripe's billing details know them.
#[derive(Debug)]
pub struct Buyer {
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) line1: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) city: &'static str,
    pub(super) country: &'static str,
    /// From where they pay.
    pub(super) ip: &'static str,
}

pub(in crate::dev) const BUYERS: &[Buyer] = &[
    Buyer {
        name: "Maya Okafor",
        email: "maya.okafor@example.com",
        line1: "14 Quayside Row",
        postal_code: "D02 XY45",
        city: "Dublin",
        country: "IE",
        ip: "203.0.113.24",
    },
    Buyer {
        name: "Jonas Lindqvist",
        email: "jonas.lindqvist@example.com",
        line1: "Bergsgatan 8",
        postal_code: "112 23",
        city: "Stockholm",
        country: "SE",
        ip: "198.51.100.7",
    },
    Buyer {
        name: "Priya Raman",
        email: "priya.raman@example.com",
        line1: "Lindenallee 31",
        postal_code: "45127",
        city: "Essen",
        country: "DE",
        ip: "203.0.113.180",
    },
    Buyer {
        name: "Tomás Herrera",
        email: "tomas.herrera@example.com",
        line1: "Calle del Olivar 5",
        postal_code: "28012",
        city: "Madrid",
        country: "ES",
        ip: "192.0.2.61",
    },
];

/// A payment card as far as events show it.
#[derive(Debug, Clone, Copy)]
pub struct Card {
    /// Stripe's word for the brand; the network has the same name.
    pub(super) brand: &'static str,
    pub(super) last4: &'static str,
    pub(super) country: &'static str,
}

pub(in crate::dev) const VISA: Card = Card { brand: "visa", last4: "4417", country: "IE" };
pub(in crate::dev) const MASTERCARD: Card = Card { brand: "mastercard", last4: "5093", country: "DE" };
pub(in crate::dev) const AMEX: Card = Card { brand: "amex", last4: "1006", country: "US" };
pub(in crate::dev) const CARTES_BANCAIRES: Card = Card { brand: "cartes_bancaires", last4: "2291", country: "FR" };

/// How the buyer pays.
#[derive(Debug, Clone, Copy)]
pub enum Method {
    /// A card.
    Card(Card),
    /// A debit of a European bank account.
    SepaDebit,
    /// A debit of a bank account in the United States, by ACH.
    UsBankAccount,
    /// A bank transfer by the buyer.
    BankTransfer,
    /// Paid by Klarna, to which the buyer pays later.
    Klarna,
}

impl Method {
    /// Stripe's word for the payment method.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Card(_) => "card",
            Self::SepaDebit => "sepa_debit",
            Self::UsBankAccount => "us_bank_account",
            Self::BankTransfer => "customer_balance",
            Self::Klarna => "klarna",
        }
    }

    /// Whether the bank decides a dispute alone: it is lost as soon as it arrives.
    pub(in crate::dev) fn is_debit(self) -> bool {
        match self {
            Self::SepaDebit | Self::UsBankAccount => true,
            Self::Card(_) | Self::BankTransfer | Self::Klarna => false,
        }
    }

    /// The card's network, in Stripe's word.
    pub(in crate::dev) fn network(self) -> Option<&'static str> {
        match self {
            Self::Card(card) => Some(card.brand),
            Self::SepaDebit | Self::UsBankAccount | Self::BankTransfer | Self::Klarna => None,
        }
    }

    /// How the ids of its charges begin.
    pub(super) fn charge_prefix(self) -> &'static str {
        match self {
            Self::Card(_) => "ch_3",
            Self::SepaDebit | Self::UsBankAccount | Self::BankTransfer | Self::Klarna => "py_3",
        }
    }

    /// How the ids of its refunds begin.
    pub(super) fn refund_prefix(self) -> &'static str {
        match self {
            Self::Card(_) => "re_3",
            Self::SepaDebit | Self::UsBankAccount | Self::BankTransfer | Self::Klarna => "pyr_1",
        }
    }
}
