//! The client of Stripe's API against servers on loopback: what it sends, and what it makes of faults.

mod capture;
mod faults;
mod lists;
mod logs;
mod sdk;
mod stub;
