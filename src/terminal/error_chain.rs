//! An error and its sources, on one line.

use std::error::Error;

/// Each message once, the outermost first: most errors repeat their source. Of a database error the message only: what
/// sqlx adds names a line of the server's source.
pub(crate) fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut chain = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let refusal = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        let text = refusal.map_or_else(|| error.to_string(), |refusal| refusal.message().to_owned());
        if !chain.contains(&text) {
            chain = if chain.is_empty() { text } else { format!("{chain}: {text}") };
        }
        next = if refusal.is_some() { None } else { error.source() };
    }
    chain
}
