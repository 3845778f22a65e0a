//! What a handler takes from an address or a form: axum's extractors, whose refusals become pages of ours.

use axum::extract::{self, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// The variable parts of a path.
#[derive(Debug)]
pub(super) struct Path<T>(pub T);

/// The query of an address.
#[derive(Debug)]
pub(super) struct Query<T>(pub T);

/// The fields of a form.
#[derive(Debug)]
pub(super) struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = extract::Path::from_request_parts(parts, state).await;
        read.map(|extract::Path(path)| Self(path))
            .map_err(|_| Failure::Unreadable("This address is not valid text.".to_owned()))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = extract::Query::from_request_parts(parts, state).await;
        read.map(|extract::Query(query)| Self(query)).map_err(|_| {
            Failure::Unreadable(
                "The part of this address after the “?” has a field twice, or is incomplete.".to_owned(),
            )
        })
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let read = extract::Form::from_request(request, state).await;
        read.map(|extract::Form(form)| Self(form)).map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
            _ => Failure::Unreadable("This form has a field twice, is incomplete, or is not a form.".to_owned()),
        })
    }
}
