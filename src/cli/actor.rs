//! Who runs a command: recorded with every change, since several people share a database role.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

#[derive(Clone, Debug, Args)]
pub(crate) struct Actor {
    /// Who asks, for the audit trail [default: the login name, from SUDO_USER or USER]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
}

impl Actor {
    /// None in a container, where nobody is logged in and no name was given.
    pub(super) fn name(self) -> Option<String> {
        let login = |variable: &str| std::env::var(variable).ok().filter(|name| !name.is_empty());
        self.by.or_else(|| login("SUDO_USER")).or_else(|| login("USER"))
    }
}
