//! Who runs a command: written down where a person's word changes something. Several people share a role.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

/// What is shown of what people did.
pub(super) const ACTIONS: [&str; 6] = ["at", "action", "actor", "role", "via", "reason"];

#[derive(Debug, Args)]
pub(crate) struct Person {
    /// Who asks [default: the login name, from SUDO_USER or USER]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
}

impl Person {
    /// None in a container, where nobody is logged in and nobody said who they are.
    pub(super) fn name(self) -> Option<String> {
        let login = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
        self.by.or_else(|| login("SUDO_USER")).or_else(|| login("USER"))
    }
}
