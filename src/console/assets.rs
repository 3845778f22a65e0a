//! The stylesheet, the script and the icon: part of the binary, each under a name with a hash of its content, so that
//! browsers may keep it for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::parts::HERE;

/// One file.
struct Asset {
    name: String,
    content_type: &'static str,
    content: &'static str,
}

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset("css", "text/css; charset=utf-8", include_str!("assets/console.css")),
        asset("js", "text/javascript; charset=utf-8", include_str!("assets/console.js")),
        asset("svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ]
});

fn asset(extension: &str, content_type: &'static str, content: &'static str) -> Asset {
    let hash = hex::encode(&Sha256::digest(content)[..8]);
    Asset { name: format!("console-{hash}.{extension}"), content_type, content }
}

fn path(place: usize) -> String {
    format!("{HERE}/assets/{}", ASSETS[place].name)
}

/// The path of the stylesheet.
pub(super) fn style() -> String {
    path(0)
}

/// The path of the script.
pub(super) fn script() -> String {
    path(1)
}

/// The path of the icon.
pub(super) fn icon() -> String {
    path(2)
}

/// Serves one of them.
pub(super) async fn serve(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => (
            [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ],
            asset.content,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
