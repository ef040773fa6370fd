// This file is Gotong's addition to `sc-rpc-server`, of 2026-11-27.

// Copyright (C) the Gotong authors.
// SPDX-License-Identifier: GPL-3.0-or-later WITH Classpath-exception-2.0

// This program is free software: you can redistribute it and/or modify
// it under the terms of the GNU General Public License as published by
// the Free Software Foundation, either version 3 of the License, or
// (at your option) any later version.

// This program is distributed in the hope that it will be useful,
// but WITHOUT ANY WARRANTY; without even the implied warranty of
// MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the
// GNU General Public License for more details.

// You should have received a copy of the GNU General Public License
// along with this program. If not, see <https://www.gnu.org/licenses/>.

//! Middleware that refuses requests from web pages of origins that are not listed.
//!
//! CORS headers only tell a browser which pages may read an answer over HTTP. Browsers do not ask
//! for them before they open a WebSocket, but they do name the page's origin in the handshake, and
//! leave it to the server to compare it.

use std::{
	future::{ready, Ready},
	sync::Arc,
	task::{Context, Poll},
};

use futures::future::Either;
use http::{
	header::{CONTENT_TYPE, ORIGIN},
	HeaderMap, HeaderValue, Request, StatusCode,
};
use jsonrpsee::server::{HttpBody, HttpResponse};
use tower::{Layer, Service};

/// What a page is told.
const REFUSAL: &str = "This node does not serve pages from this origin. To allow it, the node's operator has to list it in --rpc-cors.\n";

/// Layer that applies [`OriginCheck`].
#[derive(Debug, Clone)]
pub struct OriginLayer(Option<Arc<[String]>>);

impl OriginLayer {
	/// Lets these origins pass, or all if there is no list. An origin is `scheme://host`, with its
	/// port if that is not the scheme's own; `scheme://host:*` stands for the host's every port, and
	/// `null` for pages without an origin, such as files. Case does not matter.
	pub fn new(listed: Option<Vec<String>>) -> Self {
		Self(listed.map(Arc::from))
	}

	/// Whether a request with these headers may pass: each origin that it names is listed. A
	/// program names none, a browser always does for a WebSocket.
	fn allows(&self, headers: &HeaderMap) -> bool {
		let Some(listed) = &self.0 else { return true };
		headers.get_all(ORIGIN).iter().all(|origin| {
			origin
				.to_str()
				.is_ok_and(|origin| listed.iter().any(|entry| stands_for(entry, origin)))
		})
	}
}

/// Whether an entry of the list stands for this origin.
fn stands_for(entry: &str, origin: &str) -> bool {
	let Some(host) = entry.strip_suffix(":*") else { return entry.eq_ignore_ascii_case(origin) };
	let Some((site, port)) = origin.split_at_checked(host.len()) else { return false };
	let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
	site.eq_ignore_ascii_case(host) &&
		(port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

impl<S> Layer<S> for OriginLayer {
	type Service = OriginCheck<S>;

	fn layer(&self, service: S) -> Self::Service {
		OriginCheck { service, origins: self.clone() }
	}
}

/// Middleware that answers 403 in place of the service if a request names an origin that is not
/// listed.
#[derive(Debug, Clone)]
pub struct OriginCheck<S> {
	service: S,
	origins: OriginLayer,
}

impl<S, B> Service<Request<B>> for OriginCheck<S>
where
	S: Service<Request<B>, Response = HttpResponse>,
{
	type Response = HttpResponse;
	type Error = S::Error;
	type Future = Either<Ready<Result<HttpResponse, S::Error>>, S::Future>;

	fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
		self.service.poll_ready(cx)
	}

	fn call(&mut self, request: Request<B>) -> Self::Future {
		if self.origins.allows(request.headers()) {
			return Either::Right(self.service.call(request));
		}
		log::debug!(target: "rpc", "Refused a request of origin {:?}", request.headers().get(ORIGIN));
		let mut response = HttpResponse::new(HttpBody::from(REFUSAL));
		*response.status_mut() = StatusCode::FORBIDDEN;
		response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
		Either::Left(ready(Ok(response)))
	}
}
