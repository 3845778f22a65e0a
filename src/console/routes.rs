//! The list of routes: each with the right it takes.

use axum::Router;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::MethodRouter;

use super::Shared;
use super::users::Right;
use super::who;

/// A route, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET`, or `POST` for what changes something.
    pub method: Method,
    /// Its path, with parameters in braces.
    pub path: &'static str,
    /// The right it takes.
    pub right: Right,
}

/// Routes as they are listed.
pub(super) struct Routes(Vec<(Route, MethodRouter<Shared>)>);

impl Routes {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// A page: changes nothing.
    pub(super) fn page(self, path: &'static str, right: Right, handler: MethodRouter<Shared>) -> Self {
        self.with(Method::GET, path, right, handler)
    }

    /// An action.
    pub(super) fn action(self, path: &'static str, right: Right, handler: MethodRouter<Shared>) -> Self {
        self.with(Method::POST, path, right, handler)
    }

    fn with(mut self, method: Method, path: &'static str, right: Right, handler: MethodRouter<Shared>) -> Self {
        self.0.push((Route { method, path, right }, handler));
        self
    }

    /// The router of them; without actions where nothing may be changed.
    pub(super) fn mounted(self, is_read_only: bool) -> Router<Shared> {
        let kept = self.0.into_iter().filter(|(route, _)| !is_read_only || route.method == Method::GET);
        kept.fold(Router::new(), |router, (route, handler)| {
            router.route(route.path, handler.layer(from_fn_with_state(route.right, who::allow)))
        })
    }

    pub(super) fn list(self) -> Vec<Route> {
        self.0.into_iter().map(|(route, _)| route).collect()
    }
}
