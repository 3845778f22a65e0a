//! Where Stripe's API is: a URL without a path, replaced only for a double of Stripe.

use reqwest::Url;

use super::path::Path;

/// Why a base URL was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as https://api.stripe.com: http or https, a host, nothing after it")]
pub struct BaseError;

/// The scheme and the host of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base(Url);

impl Base {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`BaseError`] when it has another scheme, a user, a path, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, BaseError> {
        let url: Url = text.trim().parse().map_err(|_| BaseError)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        let known = matches!(url.scheme(), "http" | "https") && url.has_host();
        if bare && anonymous && known { Ok(Self(url)) } else { Err(BaseError) }
    }

    /// `https://api.stripe.com`.
    #[must_use]
    pub fn api() -> Self {
        Self::stripes("https://api.stripe.com")
    }

    /// `https://files.stripe.com`, where files are uploaded.
    #[must_use]
    pub fn files() -> Self {
        Self::stripes("https://files.stripe.com")
    }

    /// Whether what is sent there can be read on the way: without TLS, and beyond this machine.
    #[must_use]
    pub(super) fn is_exposed(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.0.scheme() == "http" && !loopback
    }

    /// The URL of a path with a query, which is encoded already.
    pub(super) fn url(&self, path: &Path, query: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path.as_str());
        url.set_query((!query.is_empty()).then_some(query));
        url
    }

    fn stripes(url: &str) -> Self {
        Self::parse(url).expect("a constant URL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_scheme_and_a_host() {
        for text in ["https://api.stripe.com", "http://127.0.0.1:12111/", "http://[::1]:1", "http://double:80"] {
            assert!(Base::parse(text).is_ok(), "{text}");
        }
        for text in ["api.stripe.com", "ftp://a", "https://a/v1", "https://u:p@a", "https://a?b", "https://a#b", ""] {
            assert_eq!(Base::parse(text), Err(BaseError), "{text}");
        }
    }

    #[test]
    fn only_loopback_is_safe_without_tls() {
        let exposed = |text| Base::parse(text).expect("a base").is_exposed();
        assert!(exposed("http://double:12111") && exposed("http://10.0.0.1"));
        assert!(!exposed("http://127.0.0.1:1") && !exposed("http://[::1]:1") && !exposed("http://localhost"));
        assert!(!exposed("https://api.stripe.com"));
    }
}
