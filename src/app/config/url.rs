//! Reads the database URL. Parameters that the driver would ignore are refused: a mistyped `sslmode` must not leave a
//! connection unencrypted.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::Misconfigured;

/// The parameters that the driver knows.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Reads the URL in the variable of this name. Error messages quote nothing of it but names of parameters.
pub(crate) fn read(variable: &str, url: &str) -> Result<PgConnectOptions, Misconfigured> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Misconfigured(format!("{variable} must begin with postgres://")));
    }
    if url.contains('#') {
        return Err(Misconfigured(format!("{variable} contains a #, which ends a URL: write # as %23")));
    }
    // The driver uses it when the URL names no mode.
    if let Some(mode) = std::env::var("PGSSLMODE").ok().filter(|mode| !mode.is_empty()) {
        known_mode("PGSSLMODE", &mode)?;
    }
    let (_, query) = url.split_once('?').unwrap_or_default();
    // It may be the rest of a password with a question mark, which must not be quoted.
    if query.contains('@') {
        return Err(unreadable(variable));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        check(variable, name, value)?;
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| unreadable(variable))?;
    // PgBouncer refuses `extra_float_digits` unless it is told to ignore it.
    Ok(options.extra_float_digits(None))
}

fn unreadable(variable: &str) -> Misconfigured {
    Misconfigured(format!(
        "{variable} cannot be read: it must look like postgres://user:password@host/database; in user and password \
         write / as %2F, ? as %3F, @ as %40, : as %3A and % as %25"
    ))
}

fn check(variable: &str, name: &str, value: &str) -> Result<(), Misconfigured> {
    // As in options[search_path], encoded or not.
    if !PARAMETERS.contains(&name) && !name.starts_with("options") {
        let known = PARAMETERS.join(", ");
        return Err(Misconfigured(format!("{variable} has a parameter {name}, which is unknown; known are {known}")));
    }
    if matches!(name, "sslmode" | "ssl-mode") { known_mode(&format!("{variable}: {name}"), value) } else { Ok(()) }
}

fn known_mode(setting: &str, mode: &str) -> Result<(), Misconfigured> {
    if SSL_MODES.contains(&mode) {
        return Ok(());
    }
    Err(Misconfigured(format!("{setting} must be one of {}", SSL_MODES.join(", "))))
}
