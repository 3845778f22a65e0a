//! Paths of the API, made so that an id or a URL from outside cannot lead elsewhere.

use std::fmt;

use super::error::Error;

/// Longest id, in bytes. Stripe documents at most 255 characters.
const MAX_ID: usize = 255;
/// Longest path of a related object, in bytes.
const MAX_PATH: usize = 1000;

/// A path below `/v1/` or `/v2/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// A path that stands in the code.
    pub(super) fn of(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// The path of one object, and of an action on it where one is named: `/v1/refunds/re_1/cancel`.
    pub(super) fn object(collection: &'static str, id: &str, action: Option<&'static str>) -> Result<Self, Error> {
        if !is_id(id) || id.len() > MAX_ID {
            return Err(Error::malformed(
                collection,
                "the id is empty, too long, or has other characters than ids have",
            ));
        }
        let action = action.map(|action| format!("/{action}")).unwrap_or_default();
        Ok(Self(format!("{collection}/{id}{action}")))
    }

    /// The path that a thin event gives for its related object: below `/v1/` or `/v2/`, without host, query or
    /// detours, so that the API key goes to no other host and to no other endpoint than the path shows.
    pub(super) fn related(url: &str) -> Result<Self, Error> {
        let below = url.strip_prefix("/v1/").or_else(|| url.strip_prefix("/v2/"));
        match below {
            Some(rest) if url.len() <= MAX_PATH && rest.split('/').all(is_id) => Ok(Self(url.to_owned())),
            _ => Err(Error::malformed("related object", "its URL is not a plain path below /v1/ or /v2/")),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        let path = |id| Path::object("/v1/refunds", id, Some("cancel")).map(|path| path.to_string());
        assert_eq!(path("re_1A").expect("a path"), "/v1/refunds/re_1A/cancel");
        for id in ["", "..", ".", "a/b", "a?b", "a#b", "a%2e", "%2e%2e", "a b", "é", "a\n", &"x".repeat(256)] {
            assert!(path(id).is_err(), "{id}");
        }
    }

    #[test]
    fn a_related_url_is_a_plain_path() {
        for url in ["/v1/charges/ch_1", "/v2/core/accounts/acct_1", "/v1/billing/meters/mtr-1"] {
            assert_eq!(Path::related(url).expect("a path").as_str(), url);
        }
        let elsewhere = [
            "https://evil.test/v1/charges/ch_1",
            "//evil.test/v1/x",
            "/v1/../v2/x",
            "/v1/charges//ch_1",
            "/v1/",
            "/v1",
            "/v3/x",
            "/v1/a?b=c",
            "/v1/a#b",
            "/v1/a@evil.test",
            "/v1/a\\b",
            "/v1/%2e%2e/x",
            "/v1/a/",
            "v1/a",
            "",
            "/v1/a\n",
            "/v1/./a",
            "/V1/a",
        ];
        for url in elsewhere {
            assert!(Path::related(url).is_err(), "{url}");
        }
    }
}
