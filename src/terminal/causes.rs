//! Why something failed, on one line.

use std::error::Error;

/// Each cause once, the outermost first: most errors repeat what they come from. Of the database's own errors
/// the message only; the line that they name is one of the server's source.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let refusal = cause.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        let text = refusal.map_or_else(|| cause.to_string(), |refusal| refusal.message().to_owned());
        if !said.contains(&text) {
            said = if said.is_empty() { text } else { format!("{said}: {text}") };
        }
        next = if refusal.is_some() { None } else { cause.source() };
    }
    said
}
